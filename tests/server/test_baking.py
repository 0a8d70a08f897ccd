"""Facts about painting pictures back onto a texture."""

import numpy as np
import pytest
import trimesh
from maquette_server.baking import gutter, pauses, seam_blend, surface, views
from maquette_server.cameras import sampling
from maquette_server.geometry import uv_raster
from maquette_server.rasterise import choose
from maquette_server.rendering import surface_view, textured_mesh

ORIGIN = (0.0, 0.0, 0.0)
RING = [
    sampling.place(theta, phi, 3.0, size=512, fov=45.0, target=ORIGIN)
    for theta in (50.0, 90.0, 130.0)
    for phi in range(0, 360, 60)
] + [sampling.place(theta, 0.0, 3.0, size=512, fov=45.0, target=ORIGIN) for theta in (0.0, 180.0)]


def sphere() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A unit sphere with every face in a cell of its own: all edges are cuts. [V, 3], [T, 3], [T, 3, 2]."""
    mesh = trimesh.creation.icosphere(subdivisions=2)
    return mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32), cells(len(mesh.faces))


def cells(count: int, margin: float = 0.18) -> np.ndarray:
    """UVs of `count` triangles, one in each cell of a grid."""
    row = int(np.ceil(np.sqrt(count)))
    corner = np.array([[margin, margin], [1 - margin, margin], [margin, 1 - margin]], np.float32)
    place = np.stack([np.arange(count) % row, np.arange(count) // row], -1).astype(np.float32)
    return (place[:, None] + corner) / row


def pattern(points: np.ndarray) -> np.ndarray:
    """A smooth colour for every point in space."""
    return (0.5 + 0.4 * np.sin(2 * points + (0.0, 1.0, 2.0))).astype(np.float32)


def picture_of(rasteriser, positions, triangles, camera, colour) -> np.ndarray:
    """What the camera would see of a surface coloured by position."""
    raster = rasteriser.rasterise(camera)
    face = np.maximum(raster.face, 0)
    corners = positions[triangles[face]]
    first, second = raster.bary[..., :1], raster.bary[..., 1:]
    points = corners[..., 0, :] * (1 - first - second)
    points = points + corners[..., 1, :] * first + corners[..., 2, :] * second
    # Outside, the colour of the nearest point of a unit sphere: no hard edge for the bilinear lookup.
    rays = camera.ray_directions()
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    closest = camera.position - rays * (rays @ camera.position)[..., None]
    closest = closest / np.linalg.norm(closest, axis=-1)[..., None]
    points = np.where(raster.face[..., None] >= 0, points, closest)
    return colour(points)


Baked = tuple[np.ndarray, np.ndarray, surface.SurfaceTexels]


def bake(positions, triangles, uvs, side, colour, cameras=RING) -> Baked:
    rasteriser = choose.make("auto", positions, triangles)
    texels = surface.texels(positions, triangles, uvs, side)
    accumulator = views.Accumulator(texels, 3, 2.0)
    for view in cameras:
        picture = picture_of(rasteriser, positions, triangles, view.camera, colour)
        accumulator.add(picture, view.camera, rasteriser.rasterise(view.camera), (1.0, 6.0))
    return *pauses.drained(accumulator.finish()), texels


def test_views_of_one_colour_bake_to_that_colour():
    positions, triangles, uvs = sphere()
    constant = np.array([0.2, 0.5, 0.9], np.float32)
    texture, seen, _ = bake(positions, triangles, uvs, 512, lambda p: np.broadcast_to(constant, p.shape))
    assert seen.all()
    assert np.abs(texture - constant).max() < 1e-6


@pytest.fixture(scope="module")
def smooth() -> Baked:
    positions, triangles, uvs = sphere()
    return bake(positions, triangles, uvs, 1024, pattern)


def test_an_unseen_view_of_a_baked_pattern_is_right_to_35_db(smooth):
    positions, triangles, uvs = sphere()
    texture = (smooth[0] * 255 + 0.5).astype(np.uint8)
    camera = sampling.place(70.0, 77.0, 2.6, size=512, fov=45.0, target=ORIGIN).camera
    rgba, _ = textured_mesh.TexturedMesh(positions, triangles, uvs, texture).draw(camera)
    rasteriser = choose.make("auto", positions, triangles)
    truth = picture_of(rasteriser, positions, triangles, camera, pattern)
    inside = rgba[..., 3] == 255
    error = (rgba[..., :3][inside] / 255 - truth[inside]) ** 2
    assert -10 * np.log10(error.mean()) > 35


def test_both_sides_of_every_cut_agree_to_two_grey_levels(smooth):
    _, triangles, uvs = sphere()
    texture = smooth[0]
    edges: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for face, corners in enumerate(triangles):
        for k in range(3):
            a, b = int(corners[k]), int(corners[(k + 1) % 3])
            edges.setdefault((min(a, b), max(a, b)), []).append((face, k, int(a > b)))
    worst = 0.0
    for pair in edges.values():
        sides = []
        for face, k, flipped in pair:
            start, end = uvs[face, k], uvs[face, (k + 1) % 3]
            start, end = (end, start) if flipped else (start, end)
            points = start + np.array([[0.3], [0.5], [0.7]]) * (end - start)
            share = np.stack([points[:, 0], 1 - points[:, 1]], -1).astype(np.float32)
            sides.append(views.sample(texture, share))
        worst = max(worst, float(np.abs(sides[0] - sides[1]).max()))
    assert worst < 2 / 255


def test_a_hidden_quad_takes_nothing_of_the_one_in_front():
    quad = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]], np.float32)
    behind = quad * 2 + np.array([0, 0, -0.5], np.float32)
    positions = np.concatenate([quad, behind])
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], np.int32)
    front_view = [sampling.place(90.0, 0.0, 3.0, size=512, fov=45.0, target=ORIGIN)]

    def colour(points: np.ndarray) -> np.ndarray:
        red, blue = np.array([1, 0, 0], np.float32), np.array([0, 0, 1], np.float32)
        return np.where(points[..., 2:] > -0.25, red, blue)

    texture, seen, texels = bake(positions, triangles, cells(4), 256, colour, front_view)
    back = texels.face >= 2
    values = texture.reshape(-1, 3)[texels.index]
    assert seen[back].mean() < 0.8  # the middle of it is hidden
    assert values[back & seen][:, 0].max() < 0.02
    assert values[~back & seen][:, 2].max() < 0.02


def test_every_texel_near_a_chart_has_a_value_of_its_border():
    used = np.zeros((64, 64), bool)
    used[10:20, 12:30] = True
    used[40:50, 30:50] = True
    texture = np.full((64, 64, 1), 1000.0, np.float32)
    texture[10:20, 12:30] = 1.0
    texture[40:50, 30:50] = 2.0
    filled = gutter.fill(texture, used)
    assert set(np.unique(filled)) == {1.0, 2.0}
    assert filled[30, 2] == 1.0
    assert filled[55, 55] == 2.0


def test_halvings_of_a_filled_texture_hold_nothing_of_the_background():
    used = np.zeros((64, 64), bool)
    used[5:19, 12:31] = True
    level = np.where(used[..., None], 1.0, 1e3).astype(np.float32)
    level = gutter.fill(level, used)
    while len(level) > 1:
        assert level.max() < 2
        level = level.reshape(len(level) // 2, 2, len(level) // 2, 2, 1).mean((1, 3))


def test_the_gutter_reaches_across_the_edge_of_a_repeating_texture():
    used = np.zeros((32, 32), bool)
    used[:, :2] = True
    used[:, 20:22] = True
    texture = np.zeros((32, 32, 1), np.float32)
    texture[:, :2] = 5.0
    assert gutter.fill(texture, used)[3, 31] == 5.0


def test_faces_that_leave_the_square_come_in_on_the_other_side():
    uvs = np.array([[[-0.25, 0.5], [0.25, 0.5], [0.0, 0.9]]], np.float32)
    raster = uv_raster.rasterise(uvs, 64)
    assert (raster.face[:, :10] == 0).any()
    assert (raster.face[:, -10:] == 0).any()
    assert uv_raster.coverage(uvs, 64).sum() == pytest.approx(0.5 * 0.5 * 0.4 * 64 * 64, rel=0.05)


def test_texels_lie_where_their_barycentric_weights_say():
    positions, triangles, uvs = sphere()
    texels = surface.texels(positions, triangles, uvs, 256)
    row, column = texels.index // 256, texels.index % 256
    first, second = texels.bary[:, :1], texels.bary[:, 1:]
    here = uvs[texels.face]
    uv = here[:, 0] * (1 - first - second) + here[:, 1] * first + here[:, 2] * second
    off = np.hypot(uv[:, 0] * 256 - column - 0.5, (1 - uv[:, 1]) * 256 - row - 0.5)
    rim = uv_raster.rasterise(uvs, 256).rim.reshape(-1)[texels.index]
    assert off[~rim].max() < 1e-3
    assert off[rim].max() < 1.5  # the nearest point of the nearest face
    assert (np.einsum("nc,nc->n", texels.position, texels.normal) > 0.9).all()


def test_texel_density_of_a_flat_square_is_exact():
    positions = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    uvs = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], np.float32)
    made = surface_view.UnwrappedSurface.of(positions, triangles, uvs)
    np.testing.assert_allclose(made.uv_per_area, 0.25)
    np.testing.assert_allclose(made.normals, [[0, 0, 1]] * 2)


def test_colours_agree_across_cuts_after_evening_out():
    positions, triangles, uvs = sphere()
    texels = surface.texels(positions, triangles, uvs, 512)
    values = np.where(texels.face[:, None] % 2 == 0, 0.4, 0.6).astype(np.float32).repeat(3, 1)
    cuts = positions[np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])]
    evened = pauses.drained(seam_blend.even_out(values, texels, cuts, 0.05))
    assert evened.min() > 0.4 - 1e-6
    assert evened.max() < 0.6 + 1e-6
    middle = texels.bary.min(1) > 0.3
    middle &= (1 - texels.bary.sum(1)) > 0.3
    np.testing.assert_allclose(evened[middle], values[middle], atol=1e-6)
    # texels of both sides within a hair of one cut have nearly the same colour
    start, end = cuts[0]
    near = np.linalg.norm(texels.position - (start + end) / 2, axis=1) < 0.004
    assert set(np.unique(texels.face[near] % 2)) == {0, 1} or np.ptp(evened[near]) < 0.02
    assert np.ptp(evened[near]) < 0.06


def test_the_end_of_a_bake_pauses_between_its_parts(monkeypatch):
    positions, triangles, uvs = sphere()
    texels = surface.texels(positions, triangles, uvs, 128)
    monkeypatch.setattr(views, "_CHUNK", 1000)
    accumulator = views.Accumulator(texels, 3, 2.0)
    accumulator.weight[:100] = 1
    parts = -(-(len(texels.index) - 100) // 1000)
    assert sum(1 for _ in accumulator.finish(positions[triangles[:, :2]], 0.05)) > parts + 3


def test_without_cuts_nothing_is_evened_out():
    positions, triangles, uvs = sphere()
    texels = surface.texels(positions, triangles, uvs, 128)
    values = np.random.default_rng(0).random((len(texels.index), 3), np.float32)
    evened = pauses.drained(seam_blend.even_out(values, texels, np.zeros((0, 2, 3)), 0.1))
    assert np.array_equal(evened, values)
