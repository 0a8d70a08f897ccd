"""A figure of guided methods: whether an object has the colour that its prompt names."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..baking import pauses
from ..cameras import sampling
from ..metrics import colour_names, named_colours
from ..rendering import textured_mesh

NO_PIXEL = "no pixel of the preview's views is filled by the object"


def of(seen: textured_mesh.TexturedMesh, prompt: str, why: dict[str, str]) -> pauses.Pausing[dict[str, Any]]:
    """`named_colour`: the colour that the prompt names and its share of what is seen, from eight sides, of a
    mesh in the work frame of painting. Nothing where the prompt names none or several; pauses.

    why: takes the reason where the share cannot be said.
    """
    named = named_colours.the_one_named(prompt)
    if named is None:
        return {}
    colours = (yield from pixels(seen)) / 255
    if not len(colours):
        why["named_colour"] = NO_PIXEL
    return {"named_colour": {named: colour_names.share(colours, named) if len(colours) else None}}


def pixels(seen: textured_mesh.TexturedMesh) -> pauses.Pausing[NDArray[np.uint8]]:
    """[n, 3], the pixels of eight small views that the object fills and that are opaque; pauses."""
    found = []
    for k in range(8):
        view = sampling.place(65.0, 45.0 * k, 1.65, size=96, fov=45.0, around=sampling.LOOK_AT)
        rgba, _ = seen.draw(view.camera)
        found.append(rgba[rgba[..., 3] == 255][:, :3])
        yield
    return np.concatenate(found)
