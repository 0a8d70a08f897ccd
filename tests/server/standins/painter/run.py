"""See the head."""

import io

from maquette_server.methods import base
from PIL import Image


def run(ctx: base.RunContext) -> base.Run:
    """One step."""
    yield base.Step(1, 1, "paint")
    file = io.BytesIO()
    Image.new("RGB", (64, 64), ctx.params.colour).save(file, "PNG")
    positions = ctx.array(ctx.inputs["mesh"].positions)
    return base.Result([base.Item("texture", "texture.png", file.getvalue())], {"vertices": len(positions)})
