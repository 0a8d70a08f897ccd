"""Pictures of an object, painted back onto its texture.

Each texel takes the weighted mean of the pictures that see it. A picture counts by how squarely it sees the
texel (cosine to the fourth power, nothing under 0.2) and by how far the texel lies from a silhouette in that
picture. N texels of the atlas (`surface.SurfaceTexels`); pictures are [H, W, C] with row 0 at the top.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

from ..cameras.pinhole import Pinhole
from ..rasterise.base import Raster
from . import gutter, pauses, seam_blend
from .surface import SurfaceTexels

_LEAST_COSINE = 0.2
_CHUNK = 1 << 19  # texels worked on at once
_NEIGHBOURS = 50_000  # seen texels kept to fill unseen ones from


@dataclass
class Accumulator:
    """The sums of a bake over its pictures."""

    surface: SurfaceTexels
    channels: int
    diagonal: float
    """size of the object, for the depth tolerance"""

    def __post_init__(self) -> None:
        self.colour = np.zeros((len(self.surface.index), self.channels), np.float32)
        self.weight = np.zeros(len(self.surface.index), np.float32)

    def add(
        self, picture: NDArray[np.float32], camera: Pinhole, raster: Raster, fade: tuple[float, float]
    ) -> None:
        """Adds one picture.

        picture: [H, W, C], any size with the camera's aspect.  raster: what the camera sees, any size.
        fade: distances to a silhouette, in pixels of the raster, at which the weight is 0 and 1.
        """
        scale = 1e-3 * self.diagonal
        near = _silhouette_weight(raster, fade, 10 * scale)
        for start in range(0, len(self.weight), _CHUNK):
            self._add(slice(start, start + _CHUNK), picture, camera, raster, near, scale)

    def _add(
        self,
        part: slice,
        picture: NDArray[np.float32],
        camera: Pinhole,
        raster: Raster,
        near: NDArray[np.float32],
        tolerance: float,
    ) -> None:
        towards = camera.position.astype(np.float32) - self.surface.position[part]
        distance = np.sqrt(np.einsum("nc,nc->n", towards, towards))
        # Either side: the depth test below decides what is seen, so a mesh turned inside out bakes as well.
        cosine = np.abs(np.einsum("nc,nc->n", towards, self.surface.normal[part]))
        cosine /= np.maximum(distance, 1e-12)
        facing = np.flatnonzero(cosine > _LEAST_COSINE)
        share, depth = _projected(camera, towards[facing])
        inside = ((share > 0) & (share < 1)).all(1) & (depth > 0)
        facing, share, depth = facing[inside], share[inside], depth[inside]
        seen = sample(raster_depth(raster), share, nearest=True)[:, 0]
        # A slanted surface runs away from its own pixel centre: allow for half a pixel of slope.
        slope = depth / camera.focal_x * camera.width / raster.depth.shape[1]
        slope = slope * np.sqrt(np.maximum(1 / cosine[facing] ** 2 - 1, 0))
        visible = depth <= seen + tolerance + slope
        facing, share = facing[visible], share[visible]
        weight = cosine[facing] ** 4 * sample(near[..., None], share)[:, 0]
        keep = weight > 0
        facing, share, weight = facing[keep], share[keep], weight[keep].astype(np.float32)
        where = facing + part.start
        self.colour[where] += weight[:, None] * sample(picture, share)
        self.weight[where] += weight

    def finish(
        self, cuts: NDArray[np.floating] | None = None, detail: float = 0.0, least: float = 1e-6
    ) -> pauses.Pausing[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """The texture [S, S, C], gutters filled, and which listed texels [N] a picture saw; pauses.

        Texels nobody saw take the value of the nearest seen point of the surface.
        cuts: [E, 2, 3], end points of the edges at which the UV map is cut; colours are evened out across
        them over `detail`, the size of a picture's pixel on the surface.
        """
        seen = self.weight > least
        values = (self.colour / np.maximum(self.weight, least)[:, None]).astype(np.float32)
        if seen.any() and not seen.all():
            step = max(1, int(seen.sum()) // _NEIGHBOURS)
            known = np.flatnonzero(seen)[::step]
            tree = spatial.cKDTree(self.surface.position[known])
            unseen = np.flatnonzero(~seen)
            for start in range(0, len(unseen), _CHUNK):
                part = unseen[start : start + _CHUNK]
                values[part] = values[known[tree.query(self.surface.position[part])[1]]]
                yield
        if cuts is not None:
            values = yield from seam_blend.even_out(values, self.surface, cuts, detail)
        side = self.surface.side
        texture = np.zeros((side * side, self.channels), np.float32)
        texture[self.surface.index] = values
        yield
        return gutter.fill(texture.reshape(side, side, -1), self.surface.used), seen


def _projected(
    camera: Pinhole, towards: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where points lie in a picture, [n, 2] as shares of width and height, and their depths [n].

    towards: [n, 3], from the points to the camera; float32 is enough for vectors that short.
    """
    local = towards @ camera.world_from_camera[:3, :3].astype(np.float32)  # camera minus point
    depth = local[:, 2]
    x = (camera.centre_x - camera.focal_x * local[:, 0] / depth) / camera.width
    y = (camera.centre_y + camera.focal_y * local[:, 1] / depth) / camera.height
    return np.stack([x, y], 1).astype(np.float32), depth


def sample(
    picture: NDArray[np.float32], share: NDArray[np.float32], nearest: bool = False
) -> NDArray[np.float32]:
    """Values [n, C] of a picture [H, W, C] at points [n, 2] given as shares of width and height; bilinear,
    clamped.
    """
    height, width = picture.shape[:2]
    x, y = share[:, 0] * width, share[:, 1] * height
    if nearest:
        return picture[y.astype(np.intp).clip(0, height - 1), x.astype(np.intp).clip(0, width - 1)]
    x, y = x - 0.5, y - 0.5
    left, top = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    across, down = (x - left)[:, None].astype(np.float32), (y - top)[:, None].astype(np.float32)
    x0, x1 = left.clip(0, width - 1), (left + 1).clip(0, width - 1)
    y0, y1 = top.clip(0, height - 1), (top + 1).clip(0, height - 1)
    upper = picture[y0, x0] * (1 - across) + picture[y0, x1] * across
    lower = picture[y1, x0] * (1 - across) + picture[y1, x1] * across
    return upper * (1 - down) + lower * down


def raster_depth(raster: Raster) -> NDArray[np.float32]:
    """Depth [H, W, 1], the farthest of the 3 x 3 pixels around, so that a border pixel does not hide its
    neighbour.
    """
    return ndimage.maximum_filter(raster.depth, size=3, mode="nearest")[..., None]


def _silhouette_weight(raster: Raster, fade: tuple[float, float], jump: float) -> NDArray[np.float32]:
    """[H, W]: 0 at a silhouette or a jump of depth, rising smoothly to 1 between the two distances of
    `fade`.
    """
    depth = np.where(np.isfinite(raster.depth), raster.depth, 1e30)
    # Behind a silhouette the far side counts as near it: it is what the front would bleed into.
    front = ndimage.minimum_filter(depth, size=3, mode="nearest")
    broken = depth - front > jump + 0.25 * _local_slope(depth)
    distance = ndimage.distance_transform_edt(~broken) if broken.any() else np.full(depth.shape, 1e9)
    share = np.clip((distance - fade[0]) / max(fade[1] - fade[0], 1e-6), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def _local_slope(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Depth change a pixel that a plain slope explains: the smaller of the one-sided differences, both axes
    added.
    """
    change = np.zeros_like(depth)
    for axis in (0, 1):
        step = np.abs(np.diff(depth, axis=axis))
        before = np.concatenate([np.take(step, [0], axis), step], axis)
        after = np.concatenate([step, np.take(step, [-1], axis)], axis)
        change += np.minimum(before, after)
    return np.minimum(change, 1e29)
