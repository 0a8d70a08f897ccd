"""Charts without a solver: faces grouped by which of six directions they face, and projected along it.

For meshes that are too dense for xatlas's chart search. A chart is a connected piece of one direction whose
projection does not cover itself; small pieces join a neighbour where the projection stays injective. On a
surface as rough as its own faces that would leave a chart for every few faces: there the directions come from
smoothed normals, and folds shallower than a few faces are allowed to share their texels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from . import seams, uv_raster

_DIRECTIONS = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float64)
# Axes of the projection plane, so that u, v, direction is right-handed and no chart is mirrored.
_ACROSS = np.array([[0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1], [1, 0, 0], [-1, 0, 0]], np.float64)
_ROUNDS = 6  # of smoothing the labels
_VOTE = 0.15  # weight of a neighbour against the cosine
_LEAST_COSINE = 0.25  # a face may be seen as obliquely as this (stretch 4)
_SMALL = 24  # faces under which a piece tries to join its neighbour
_OVERLAP = 0.002  # share of a piece's texels that may be covered twice
MAX_CHARTS = 2000  # more than these cannot be packed in sensible time, nor with a gutter
_SMOOTHING = 24  # rounds of averaging the normals of a rough surface
_FOLD = 6.0  # depth of a fold that may share its texels, in lengths of an edge


def six_directions(
    positions: NDArray[np.floating], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.int32], bool]:
    """Charts of a mesh whose faces all have an area.

    positions: [V, 3].  triangles: [T, 3].  Returns UVs [T, 3, 2] in units of the positions, each chart where
    it lies, the chart of each face [T], and whether the surface is so rough that folds share texels.
    """
    points = np.asarray(positions, np.float64)
    corners = points[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    pairs = seams.shared_edges(seams.welded(points)[triangles]).faces
    label = _labels(normal @ _DIRECTIONS.T, pairs)
    fold = 0.0
    if _pieces(label, pairs).max() >= MAX_CHARTS:
        label = _labels(_smooth_normals(normal, pairs) @ _DIRECTIONS.T, pairs, least=-1.0)
        fold = _FOLD * float(np.median(np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)))
    up = np.cross(_DIRECTIONS, _ACROSS)
    uvs = np.stack([_project(corners, _ACROSS[label]), _project(corners, up[label])], -1)
    depth = np.einsum("tc,tc->t", corners.mean(1), _DIRECTIONS[label])
    chart = _split_overlaps(_pieces(label, pairs), uvs, depth, pairs, fold)
    return uvs.astype(np.float32), chart, fold > 0


def _labels(
    cosine: NDArray[np.float64], pairs: NDArray[np.int32], least: float = _LEAST_COSINE
) -> NDArray[np.int64]:
    """Direction of each face from its cosines with the six [T, 6]; never one that it faces with less than
    `least`.
    """
    label = _smooth(cosine, pairs, least)
    for _ in range(3):
        label, changed = _join_small(label, cosine, pairs, least)
        if not changed:
            break
    return label


def _smooth_normals(normal: NDArray[np.float64], pairs: NDArray[np.int32]) -> NDArray[np.float64]:
    """Unit normals [T, 3] averaged over wide neighbourhoods."""
    both = np.concatenate([pairs, pairs[:, ::-1], np.repeat(np.arange(len(normal))[:, None], 2, 1)])
    links = sparse.csr_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), (len(normal), len(normal)))
    for _ in range(_SMOOTHING):
        normal = links @ normal
        normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    return normal


def _project(corners: NDArray[np.float64], axes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.einsum("tkc,tc->tk", corners, axes)


def _smooth(cosine: NDArray[np.float64], pairs: NDArray[np.int32], least: float) -> NDArray[np.int64]:
    """Direction of each face: the one it faces most, with a say for its neighbours."""
    label = cosine.argmax(1)
    own = np.where(cosine > least, cosine, -np.inf)
    own[np.arange(len(own)), label] = cosine[np.arange(len(own)), label]
    for _ in range(_ROUNDS):
        votes = np.zeros_like(cosine)
        np.add.at(votes, (pairs[:, 0], label[pairs[:, 1]]), _VOTE)
        np.add.at(votes, (pairs[:, 1], label[pairs[:, 0]]), _VOTE)
        newer = (own + votes).argmax(1)
        if np.array_equal(newer, label):
            break
        label = newer
    return np.asarray(label, np.int64)


def _pieces(label: NDArray[np.integer], pairs: NDArray[np.int32]) -> NDArray[np.int32]:
    """Connected pieces of equal label, [T], numbered from 0."""
    inside = pairs[label[pairs[:, 0]] == label[pairs[:, 1]]]
    links = sparse.coo_matrix(
        (np.ones(len(inside), bool), (inside[:, 0], inside[:, 1])), (len(label), len(label))
    )
    return np.asarray(sparse.csgraph.connected_components(links, directed=False)[1], np.int32)


def _join_small(
    label: NDArray[np.int64], cosine: NDArray[np.float64], pairs: NDArray[np.int32], least_cosine: float
) -> tuple[NDArray[np.int64], bool]:
    """Small pieces take the direction of the neighbour they share most edges with, if all their faces face it
    enough.
    """
    piece = _pieces(label, pairs)
    count = np.bincount(piece)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    border = both[(piece[both[:, 0]] != piece[both[:, 1]]) & (count[piece[both[:, 0]]] < _SMALL)]
    least = np.full((len(count), 6), np.inf)
    np.minimum.at(least, piece, cosine)
    touching = np.zeros((len(count), 6))
    larger = count[piece[border[:, 1]]] >= count[piece[border[:, 0]]]
    np.add.at(touching, (piece[border[:, 0]], label[border[:, 1]]), larger)
    touching[least <= least_cosine] = 0
    best = touching.argmax(1)
    moves = touching.max(1) > 0
    newer = np.where(moves[piece], best[piece], label)
    return newer, bool((newer != label).any())


def _split_overlaps(
    chart: NDArray[np.int32],
    uvs: NDArray[np.float64],
    depth: NDArray[np.float64],
    pairs: NDArray[np.int32],
    fold: float,
) -> NDArray[np.int32]:
    """Charts whose projection covers itself are halved by depth until none does, or there are too many.

    fold: layers nearer to each other than this may share texels.
    """
    whole = np.zeros(int(chart.max(initial=0)) + 1, bool)  # charts known not to cover themselves
    for _ in range(24):
        order = np.argsort(chart, kind="stable")
        starts = np.searchsorted(chart[order], np.arange(len(whole) + 1))
        half = np.zeros(len(chart), np.int64)
        # Five faces that share edges in a row can just close a turn; fewer cannot lie on each other.
        for number in np.flatnonzero(~whole & (np.diff(starts) >= 5)).tolist():
            faces = order[starts[number] : starts[number + 1]]
            if _covers_itself(uvs[faces], depth[faces], fold):
                half[faces] = depth[faces] > np.median(depth[faces])
                if not half[faces].any():
                    half[faces[len(faces) // 2 :]] = 1
        split = np.bincount(chart, weights=half) > 0
        if not split.any() or len(whole) > MAX_CHARTS:
            break
        newer = _pieces(chart.astype(np.int64) * 2 + half, pairs)
        whole = np.zeros(int(newer.max()) + 1, bool)
        whole[newer] = ~split[chart]
        chart = newer
    return chart


def _covers_itself(uvs: NDArray[np.float64], depth: NDArray[np.float64], fold: float) -> bool:
    low = uvs.min((0, 1))
    extent = float((uvs.max((0, 1)) - low).max())
    side = int(np.clip(2 * np.sqrt(len(uvs)), 32, 512))
    placed = (uvs - low) / (extent * (1 + 1e-6))
    if fold > 0:
        return _folds_deeply(placed, depth, side, fold)
    count = uv_raster.coverage(placed, side)
    return bool((count > 1).sum() > _OVERLAP * (count > 0).sum())


def _folds_deeply(uvs: NDArray[np.float64], depth: NDArray[np.float64], side: int, fold: float) -> bool:
    """Whether layers farther apart than `fold` share texels: the raster keeps the last face, so order tells
    both ends.
    """
    order = np.argsort(depth, kind="stable")
    near = uv_raster.rasterise(uvs[order], side)
    far = uv_raster.rasterise(uvs[order[::-1]], side)
    used = (near.face >= 0) & ~near.rim & ~far.rim
    between = depth[order][near.face[used]] - depth[order[::-1]][far.face[used]]
    return bool((between > fold).sum() > _OVERLAP * used.sum())
