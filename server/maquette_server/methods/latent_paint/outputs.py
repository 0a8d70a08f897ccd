"""What a painting job gives: texture, UVs, a GLB, a picture of eight views, and figures about it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...baking import pauses, surface
from ...geometry import seams, uv
from ...media import glb, png
from ...rendering import textured_mesh
from .. import base, colour_figure, mesh_sheet
from . import target as targets


def drawn(target: targets.Target, texture: NDArray[np.uint8]) -> list[base.Item]:
    """texture.png and uv: what can be put on the object. texture: [S, S, 3 or 4]."""
    return [
        base.Item("texture", "texture.png", png.write(texture)),
        base.Item("uv", "uv", uv.loop_uvs(target.mesh, target.corner_uvs)),
    ]


def items(
    target: targets.Target, texture: NDArray[np.uint8], used: NDArray[np.bool_], rasteriser: str
) -> pauses.Pausing[list[base.Item]]:
    """texture.png, uv, mesh.glb, preview.png; pauses after each view.

    texture: [S, S, 3 or 4].  used: [S, S], True inside charts.
    """
    seen = textured_mesh.TexturedMesh(
        target.positions, target.triangles, target.painted_uvs, texture, rasteriser
    )
    given = drawn(target, texture)
    yield
    # A linear filter reads one texel beyond the charts; farther out no viewer looks.
    shown = texture[ndimage.binary_dilation(used, np.ones((3, 3), bool))]
    model = glb.write(target.mesh, target.corner_uvs, given[0].data, glb.alpha_mode(shown))
    yield
    preview = yield from mesh_sheet.sheet(seen)
    return [
        *given,
        base.Item("mesh", "mesh.glb", model),
        base.Item("images", "preview.png", png.write(preview)),
    ]


def figures(
    target: targets.Target,
    texture: NDArray[np.uint8],
    texels: surface.SurfaceTexels,
    seen: NDArray[np.bool_] | None,
    prompt: str,
) -> pauses.Pausing[dict[str, Any]]:
    """Numbers of the method's own about its result; pauses on the way. What was not measured is None, and
    `not_measured` says why.

    seen: [N], of the texels that a picture painted; None when no pictures were baked.
    """
    why: dict[str, str] = {}
    result: dict[str, Any] = {
        "faces": len(target.mesh.triangles),
        "uv": target.uv_source,
        "charts": target.charts,
        "texture_size": texture.shape[0],
        "unseen_texels": None if seen is None else float(1 - seen.mean()),
        "visible_unseen": None,
        "seam_step": seams.step_ratio(target.positions, target.triangles, target.painted_uvs, texture),
        "not_measured": why,
    }
    if seen is None:
        sentence = "the texture was decoded as a whole, not painted from views"
        why |= {"unseen_texels": sentence, "visible_unseen": sentence}
    else:
        result["visible_unseen"] = yield from _visible_unseen(target, texels, seen)
        if result["visible_unseen"] is None:
            why["visible_unseen"] = colour_figure.NO_PIXEL
    if result["seam_step"] is None:
        why["seam_step"] = "the UV map has no edge that is cut, or none that is not"
    colours = textured_mesh.TexturedMesh(target.positions, target.triangles, target.painted_uvs, texture)
    result |= yield from colour_figure.of(colours, prompt, why)
    return result


def _visible_unseen(
    target: targets.Target, texels: surface.SurfaceTexels, seen: NDArray[np.bool_]
) -> pauses.Pausing[float | None]:
    """Share of the object's pixels, from the eight views, that show texels filled from nearby; None when
    there is no such pixel.
    """
    if seen.all():
        return 0.0
    marks = np.zeros((texels.side, texels.side, 3), np.uint8)
    marks.reshape(-1, 3)[texels.index[~seen]] = 255
    drawn = textured_mesh.TexturedMesh(target.positions, target.triangles, target.painted_uvs, marks)
    pixels = yield from colour_figure.pixels(drawn)
    return float((pixels[:, 0] > 127).mean()) if len(pixels) else None
