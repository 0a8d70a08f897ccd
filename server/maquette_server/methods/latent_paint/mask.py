"""Which texels a masked job may change, and how much: weights 0 keep .. 1 paint, [S, S] with row 0 at v =
1.
"""

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from scipy import ndimage

from ...baking import gutter, surface
from ...geometry.mesh import Mesh

_GUTTER = 16  # texels round a painted chart that are filled with its border


def weights(
    mesh: Mesh, texels: surface.SurfaceTexels, picture: NDArray[np.uint8] | None, feather: int
) -> NDArray[np.float32] | None:
    """The weight of every texel [S, S], 0 outside the charts; None when nothing is masked.

    picture: [H, W, 3 or 4], white = paint. Both kinds of mask together multiply. feather: texels over which
    the weight rises from the border of the mask inwards; it never grows the painted area.
    Raises UserError `mask.bad` when nothing is left to paint.
    """
    if mesh.corner_weights is None and picture is None:
        return None
    side = texels.side
    weight = np.zeros((side, side), np.float32)
    flat = weight.reshape(-1)
    flat[texels.index] = 1.0
    if mesh.corner_weights is not None:
        corners = mesh.corner_weights[texels.face]
        first, second = texels.bary[:, 0], texels.bary[:, 1]
        flat[texels.index] *= (
            corners[:, 0] * (1 - first - second) + corners[:, 1] * first + corners[:, 2] * second
        )
    if picture is not None:
        flat[texels.index] *= _resized(picture, side).reshape(-1)[texels.index]
    if not (weight > 0.5 / 255).any():
        raise UserError(
            "mask.bad",
            f"The mask leaves nothing of '{mesh.name}' to paint.",
            hint="Paint some of it white, or select faces.",
        )
    weight[weight <= 0.5 / 255] = 0
    if feather:
        kept = texels.used & (weight == 0)
        if kept.any():
            share = np.clip(ndimage.distance_transform_edt(~kept) / (feather + 1), 0, 1)
            weight *= (share * share * (3 - 2 * share)).astype(np.float32)
    return weight


def shrunk(weight: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The weights [side, side] of a coarser texture: a texel is as paintable as its most paintable part."""
    rows = np.arange(weight.shape[0]) * side // weight.shape[0]
    smaller = np.zeros((side, side), np.float32)
    np.maximum.at(smaller, (rows[:, None], rows[None, :]), weight)
    return smaller


def at_side(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A square picture [S, S, C] at another size, each texel the nearest one: for previews."""
    rows = np.arange(side) * picture.shape[0] // side
    return picture[rows][:, rows]


def composite(
    painted: NDArray[np.uint8],
    existing: NDArray[np.uint8],
    weight: NDArray[np.float32],
    used: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """The painted texture [S, S, 3] laid over the existing one [S, S, 3 or 4]; has the latter's channels.

    Texels of weight 0 stay as they were, alpha included, but for the gutters of painted charts (16 texels).
    Paint is opaque; between 0 and 1 colours mix premultiplied, so that what lies under transparency never
    shows.
    """
    result = existing.copy()
    inside = weight > 0
    share, below = weight[inside][:, None], existing[inside].astype(np.float32)
    if existing.shape[2] == 3:
        mixed = below * (1 - share) + painted[inside] * share
    else:
        left = below[:, 3:] / 255 * (1 - share)  # what is still seen of the existing texture
        alpha = left + share
        colour = (below[:, :3] * left + painted[inside] * share) / alpha
        mixed = np.concatenate([colour, 255 * alpha], 1)
    result[inside] = (mixed + 0.5).astype(np.uint8)
    row, column = gutter.nearest(used)
    near = ndimage.binary_dilation(inside, iterations=_GUTTER) & ~used & inside[row, column]
    result[near] = result[row[near], column[near]]
    return result


def _resized(picture: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Grey 0..1 at [side, side]: box average down, nearest up."""
    grey = picture[..., :3].astype(np.float32).mean(-1) / 255
    height, width = grey.shape
    rows = (np.arange(side) + 0.5) * height / side
    columns = (np.arange(side) + 0.5) * width / side
    if height <= side and width <= side:
        return grey[rows.astype(np.intp)][:, columns.astype(np.intp)]
    smooth = ndimage.uniform_filter(grey, (max(1, height // side), max(1, width // side)), mode="nearest")
    return smooth[rows.astype(np.intp)][:, columns.astype(np.intp)]
