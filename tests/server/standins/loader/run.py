"""See the head."""

import time
from typing import Any

from maquette_server.guidance import loading
from maquette_server.methods import base


def run(ctx: base.RunContext) -> base.Run:
    """Never comes to its first step."""
    loading.load = _slowly
    ctx.warn("loader.began", "The model is being loaded.")
    ctx.model("text_to_image")
    yield base.Step(1, 1, "never")
    return base.Result([], {})


def _slowly(path: str, device: str, kind: str) -> Any:
    time.sleep(600)
