"""See the head."""

import os
import signal
from pathlib import Path

from maquette_server.methods import base


def run(ctx: base.RunContext) -> base.Run:
    """Five steps, if it gets there."""
    for step in range(1, 6):
        if step == ctx.params.step and not (ctx.params.once and Path(ctx.params.once).exists()):
            if ctx.params.once:
                Path(ctx.params.once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield base.Step(step, 5, "walk")
    return base.Result([], {})
