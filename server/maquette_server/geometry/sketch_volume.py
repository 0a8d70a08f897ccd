"""A sketch of rough solids as volumes: on which side of its surface a point lies, and how far from it.

Sketch-Shape asks this of every sample of every step (arXiv:2211.07600, section 3.2). Asked of the triangles
that takes seconds, so it is asked once, on a grid; what comes between the grid's points is interpolated.

A point is inside where the generalised winding number (arXiv:1804.06350 computes it fast) of the parts
together is above one half: overlapping parts are their union, and a part with holes is inside where most of
its surface is around. All in the field's frame, in which the grid spans the cube -1..1; N points along each
axis, at the middles of N cells.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import igl
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

SIDE = 128
_BAND = 3.0  # cells on either side of the surface in which distances are exact; beyond, off by a cell at most
_OFF = 1.5  # cells by which a distance that was counted in cells may be wrong
_LOOKS = 16  # points along an axis of a part's box that say whether it has an inside
_CHUNK = 1 << 17  # points looked at between two pauses
_SOLID = 0.5  # winding number


@dataclass(frozen=True)
class Part:
    """One solid of a sketch."""

    positions: NDArray[np.float64]  # [V, 3], in the field's frame
    triangles: NDArray[np.int64]  # [T, 3]
    strength: float  # 0..1, of the loss that keeps the object to it
    lock: bool  # the object keeps to its very surface


@dataclass(frozen=True)
class SketchVolume:
    """What is known of every point of the grid."""

    signed: NDArray[np.float32]
    """[N, N, N], axes x, y, z: distance to the surface of the union, negative inside"""
    strength: NDArray[np.float32]  # [N, N, N], of the part that is nearest
    lock: NDArray[np.bool_]  # [N, N, N], likewise
    missed: tuple[int, ...] = ()  # numbers of the parts that no point of the grid is in

    @property
    def filled(self) -> float:
        """Share of the cube that is inside."""
        return float((self.signed < 0).mean())

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """`signed` [P] at points [P, 3] of the field's frame, linearly between the grid's points."""
        side = len(self.signed)
        places = (np.asarray(points).T + 1) * (side / 2) - 0.5
        found: NDArray[np.float64] = ndimage.map_coordinates(
            self.signed, places, np.float64, order=1, mode="nearest"
        )
        return found


def sampled(parts: Sequence[Part], side: int = SIDE) -> Generator[None, None, SketchVolume]:
    """The volume of a sketch; pauses. A sketch that encloses nothing has no negative `signed`."""
    parts = [_outward(part) for part in parts]
    kinds: dict[tuple[float, bool], list[int]] = {}
    for number, part in enumerate(parts):
        kinds.setdefault((part.strength, part.lock), []).append(number)
    points = _points(side)
    whole = np.zeros(len(points))
    missed: list[int] = []
    nearest: NDArray[np.int64] = np.zeros((side,) * 3, np.int64)
    closest = np.full((side,) * 3, np.inf, np.float32)
    for kind, alike in enumerate(kinds.values()):
        total = np.zeros(len(points))
        for number in alike:
            wound = yield from _wound(parts[number], points)
            if not (wound > _SOLID).any():
                missed.append(number)
            total += wound
        whole += total
        if len(kinds) > 1:
            depth = yield from _signed(total, points, [parts[number] for number in alike])
            nearest[depth < closest] = kind
            closest = np.minimum(closest, depth)
    signed = yield from _signed(whole, points, parts)
    strength = np.array([strength for strength, _ in kinds], np.float32)
    lock = np.array([lock for _, lock in kinds])
    return SketchVolume(signed, strength[nearest], lock[nearest], tuple(missed))


def winding_numbers(part: Part, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Generalised winding numbers [P] of points [P, 3] about a part, whichever way its pieces face."""
    return _winding(_outward(part), points)


def _winding(part: Part, points: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = igl.fast_winding_number(part.positions, part.triangles, points)
    return found


def _outward(part: Part) -> Part:
    """The part with every connected piece turned so that its triangles look away from its own middle, most
    of its area counted: a solid that was joined inside out is a solid, wherever it stands and if it is open.
    """
    corners = part.positions[part.triangles]
    _, same = np.unique(part.positions, axis=0, return_inverse=True)
    linked = same.reshape(-1)[part.triangles]
    edges = (np.concatenate([linked[:, 0], linked[:, 1]]), np.concatenate([linked[:, 1], linked[:, 2]]))
    count = len(part.positions)
    graph = sparse.coo_matrix((np.ones(len(edges[0]), bool), edges), (count, count))
    pieces, label = sparse.csgraph.connected_components(graph, directed=False)
    piece = label[linked[:, 0]]
    sums = np.stack([np.bincount(piece, corners[..., axis].mean(1), pieces) for axis in range(3)], 1)
    middles = sums / np.maximum(1, np.bincount(piece, minlength=pieces))[:, None]
    first, second, third = np.moveaxis(corners - middles[piece][:, None], 1, 0)
    volumes = np.bincount(piece, np.einsum("tc,tc->t", first, np.cross(second, third)), pieces)
    turned = np.where((volumes < 0)[piece][:, None], part.triangles[:, ::-1], part.triangles)
    return replace(part, triangles=np.ascontiguousarray(turned))


def encloses(part: Part) -> bool:
    """Whether there is an inside to a part; a plane or a curve has none."""
    low, high = part.positions.min(0), part.positions.max(0)
    points = low + (_points(_LOOKS) + 1) / 2 * (high - low)
    return bool((winding_numbers(part, points) > _SOLID).any())


def _points(side: int) -> NDArray[np.float64]:
    """[side ** 3, 3], the middles of the cells."""
    centres = (np.arange(side) + 0.5) * (2 / side) - 1
    return np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), -1).reshape(-1, 3)


def _wound(part: Part, points: NDArray[np.float64]) -> Generator[None, None, NDArray[np.float64]]:
    """Winding numbers of all points; 0 outside the part's box, where it is small and seldom matters."""
    found = np.zeros(len(points))
    low, high = part.positions.min(0), part.positions.max(0)
    near = np.flatnonzero(((points >= low) & (points <= high)).all(1))
    for start in range(0, len(near), _CHUNK):
        some = near[start : start + _CHUNK]
        found[some] = _winding(part, points[some])
        yield
    return found


def _signed(
    wound: NDArray[np.float64], points: NDArray[np.float64], parts: Sequence[Part]
) -> Generator[None, None, NDArray[np.float32]]:
    """Distances [N, N, N] to the surface of a union, negative inside."""
    side = round(len(points) ** (1 / 3))
    inside = (wound > _SOLID).reshape(side, side, side)
    if not inside.any():
        return np.full(inside.shape, 2.0, np.float32)
    # A cell's own border lies half a cell from its middle.
    cells = np.where(
        inside,
        0.5 - ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1, 1:-1],
        ndimage.distance_transform_edt(~inside) - 0.5,
    ).reshape(-1)
    yield
    positions = np.concatenate([part.positions for part in parts])
    counts = np.cumsum([0, *(len(part.positions) for part in parts)])
    triangles = np.concatenate([part.triangles + first for part, first in zip(parts, counts, strict=False)])
    band = np.flatnonzero(np.abs(cells) < _BAND)
    for start in range(0, len(band), _CHUNK):
        some = band[start : start + _CHUNK]
        squares = igl.point_mesh_squared_distance(points[some], positions, triangles)[0]
        exact = np.sqrt(squares) / (2 / side)
        # The wall of one part within another is no surface of the union.
        surface = np.abs(exact - np.abs(cells[some])) < _OFF
        cells[some[surface]] = np.copysign(exact, cells[some])[surface]
        yield
    return (cells * (2 / side)).reshape(inside.shape).astype(np.float32)
