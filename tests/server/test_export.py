"""A scene as a mesh: an analytic ball comes back as a closed ball of its size, place and colour.

The ball's density is known in closed form, its colour is the same from everywhere; the scene's world may be
tiny, huge or shifted.
"""

import io
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
import torch
import trimesh
from maquette_server.cameras.pinhole import look_at
from maquette_server.cli.app import app
from maquette_server.fields.domain import Domain
from maquette_server.meshing import volume
from maquette_server.methods import base
from maquette_server.methods.export import run as exporting
from maquette_server.rendering.grid_render import GridScene
from maquette_server.rendering.occupied import OccupiedSampler
from maquette_server.rendering.rays import Rays
from maquette_server.scenes import folder, runtime
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from painting_jobs import Stages
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

COLOUR = (40, 160, 90)
CELLS = 32
RADIUS = 0.5  # in the field's frame
Z_UP = ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
Y_UP = ((0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Balls(torch.nn.Module):
    """Balls of one colour; the density falls by a factor e over 0.01, and is DENSITY on the skin.

    A negative radius is a hollow: less density within.
    """

    def __init__(self, *balls: tuple[tuple[float, float, float], float]) -> None:
        super().__init__()
        self.balls = balls

    def code(self, points: Tensor, spreads: Tensor) -> Tensor:
        depth = torch.full_like(points[:, 0], -torch.inf)
        for middle, radius in self.balls:
            away = (points * 2 - 1 - torch.tensor(middle)).norm(dim=1)
            if radius > 0:
                depth = torch.maximum(depth, radius - away)
            else:
                depth = torch.minimum(depth, away + radius)
        return (np.log(volume.DENSITY) + depth / 0.01).clamp(-20, 9)[:, None]

    def colours(self, code: Tensor, directions: Tensor) -> Tensor:
        return (torch.tensor(COLOUR, dtype=torch.float32) / 255).expand(len(code), 3)


class BallScene(GridScene):
    """Looked at as on any device: what is compiled for a CPU knows networks and tables only."""

    device = torch.device("cpu")

    def _compiled(self, rays: Rays, basis: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.composited(self.sampler.samples(rays), basis)


class RecordingScene(BallScene):
    """Remembers the footprints with which its densities are asked for."""

    spreads: ClassVar[set[float]] = set()

    def densities(self, points: Tensor, spread: float) -> Tensor:
        self.spreads.add(spread)
        return super().densities(points, spread)


def scene(
    field: "Balls",
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0),
    scale: float = 1.0,
    axes: tuple[Any, Any] = Z_UP,
    unbounded: bool = False,
    cameras: int = 4,
) -> runtime.Scene:
    """A scene whose field's frame has its origin at `centre` and 1 / scale world units a unit."""
    domain = Domain(centre, scale, unbounded)
    record = folder.SceneRecord(
        format=folder.FORMAT,
        id="0",
        name="ball",
        method="reconstruct",
        created_by="test",
        field={"type": "grid"},
        field_from_scene=folder.matrix(domain.field_from_scene),
        up=axes[0],
        front=axes[1],
        near=0.1 / scale,
        far=6 / scale,
        background="white",
        step=1,
    )
    up = np.array(axes[0])
    rows = []
    for number in range(cameras):
        angle = 2 * np.pi * number / cameras
        across = np.cross(up, axes[1])
        offset = np.cos(angle) * across + np.sin(angle) * np.array(axes[1]) + 0.4 * up
        pose = look_at(np.array(centre) + 2.5 / scale * offset, np.array(centre), up)
        rows.append(
            folder.CameraRecord(
                id=number, w=64, h=48, fl_x=70.0, fl_y=70.0, cx=32.0, cy=24.0,
                transform_matrix=folder.matrix(pose),
            )
        )  # fmt: skip
    # what rays may skip: cells in whose middle there is nothing, and none of whose neighbours has something
    middles = (torch.cartesian_prod(*[torch.arange(32)] * 3) + 0.5) / 32
    dense = (field.code(middles, middles[:, 0])[:, 0] > -8).float().view(1, 1, 32, 32, 32)
    occupied = torch.nn.functional.max_pool3d(dense, 3, 1, 1)[0, 0] > 0
    view = BallScene(field, OccupiedSampler(occupied, domain, 0.04))  # type: ignore[arg-type]
    return runtime.Scene(record, tuple(rows), view)


def exported(of: runtime.Scene) -> tuple[base.Result, trimesh.Trimesh, NDArray[np.float64]]:
    """The result, the mesh as it is stored and the matrix of its node."""
    result: base.Result = _end(exporting.export(_context([], {"texture_size": 128}), of))
    (data,) = (item.data for item in result.items if item.name == "mesh.glb")
    return result, *_read(data)


def surface(
    of: runtime.Scene, warnings: list[str] | None = None, **options: Any
) -> tuple[trimesh.Trimesh, int]:
    """The surface alone, in the scene's world, and the resolution of its grid."""
    found: exporting.Found = _end(
        exporting.surface(_context([] if warnings is None else warnings, options), of)
    )
    return trimesh.Trimesh(found.mesh.positions, found.mesh.triangles, process=False), found.resolution


def _context(warnings: list[str], options: dict[str, Any]) -> base.RunContext:
    return base.RunContext(
        params=base.discover()["export"].read_params({"resolution": CELLS} | options),
        inputs={},
        array=_none,
        file=_none,
        seed=0,
        device="cpu",
        model=_none,
        warn=lambda code, sentence: warnings.append(code),
        timer=Stages(),
    )


def _end(work: Any) -> Any:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def _none(wanted: Any) -> Any:
    raise AssertionError(f"nobody asks for {wanted}")


def _read(data: bytes) -> tuple[trimesh.Trimesh, NDArray[np.float64]]:
    loaded = trimesh.load(io.BytesIO(data), file_type="glb", process=False)
    (node,) = loaded.graph.nodes_geometry
    matrix, name = loaded.graph[node]
    return loaded.geometry[name], matrix


def _welded(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Without the copies at UV seams."""
    source = np.round(mesh.vertex_attributes["_SOURCE_VERTEX"]).astype(int).reshape(-1)
    first = np.unique(source, return_index=True)[1]
    return trimesh.Trimesh(mesh.vertices[first], source[mesh.faces], process=False)


def _texels(mesh: trimesh.Trimesh) -> NDArray[np.int64]:
    """Colours at the middles of all faces, [T, 3]."""
    picture = np.array(mesh.visual.material.baseColorTexture.convert("RGB")).astype(int)
    middle = mesh.visual.uv[mesh.faces].mean(1)
    side = len(picture)
    row, column = ((1 - middle[:, 1]) * side).astype(int) % side, (middle[:, 0] * side).astype(int) % side
    return picture[row, column]


WORLDS = {
    "plain": ((0.0, 0.0, 0.0), 1.0, Z_UP),
    "tiny": ((0.002, -0.001, 0.003), 1e3, Y_UP),
    "huge": ((3e4, -2e4, 1e4), 1e-4, Z_UP),
    "far away": ((5e5, 0.0, -2e5), 0.5, Y_UP),
}


@pytest.mark.parametrize("world", WORLDS)
def test_a_ball_comes_back_closed_and_where_it_is_in_the_scenes_world(world: str) -> None:
    centre, scale, axes = WORLDS[world]
    mesh, resolution = surface(scene(Balls(((0.0, 0.0, 0.0), RADIUS)), centre, scale, axes))
    assert resolution == CELLS
    away = np.linalg.norm(mesh.vertices - np.array(centre), axis=1) * scale
    assert np.abs(away - RADIUS).max() < 0.1 * 2 / CELLS
    assert mesh.is_watertight
    # positive: its triangles look outwards
    assert (mesh.apply_translation(-np.array(centre)).volume * scale**3) == pytest.approx(
        4 / 3 * np.pi * RADIUS**3, rel=0.02
    )


@pytest.mark.parametrize("world", ["tiny", "huge"])
def test_the_file_stands_upright_in_a_viewer_and_has_the_scenes_size_and_colours(world: str) -> None:
    centre, scale, axes = WORLDS[world]
    result, mesh, matrix = exported(scene(Balls(((0.0, 0.0, 0.0), RADIUS)), centre, scale, axes))
    rotation = matrix[:3, :3]
    np.testing.assert_allclose(rotation @ axes[0], (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(rotation @ axes[1], (0, 0, 1), atol=1e-12)
    in_scene = trimesh.transform_points(mesh.vertices, matrix) @ rotation
    away = np.linalg.norm(in_scene - np.array(centre), axis=1) * scale
    assert np.abs(away - RADIUS).max() < 0.1 * 2 / CELLS
    welded = _welded(mesh)
    assert welded.is_watertight
    assert len(welded.faces) == result.figures["faces"]
    assert len(welded.vertices) == result.figures["vertices"]
    assert np.abs(_texels(mesh) - COLOUR).max() <= 3
    assert result.figures["texels_seen"] > 0.99
    assert result.figures["occupied"] == pytest.approx(4 / 3 * np.pi * RADIUS**3 / 8, rel=0.02)
    parts = {item.name: item.data for item in result.items}
    arrays = {"positions", "triangles", "corner_uvs", "texture.png"}
    assert set(parts) == {"mesh.glb", "preview.png"} | arrays
    outer = np.linalg.norm(parts["positions"] - np.array(centre), axis=1) * scale
    assert np.abs(outer - RADIUS).max() < 0.1 * 2 / CELLS
    assert parts["triangles"].max() == len(parts["positions"]) - 1
    assert parts["corner_uvs"].shape == (len(parts["triangles"]), 3, 2)
    assert np.asarray(Image.open(io.BytesIO(parts["texture.png"]))).shape[:2] == (128, 128)


def test_crumbs_and_hollows_into_which_nobody_looks_are_left_out() -> None:
    field = Balls(((0.0, 0.0, 0.0), 0.6), ((0.0, 0.0, 0.0), -0.4), ((0.8, 0.8, 0.8), 0.045))
    mesh, _ = surface(scene(field))
    assert mesh.body_count == 1
    assert np.linalg.norm(mesh.vertices, axis=1).min() > 0.58


def test_an_object_cut_off_by_the_cube_is_closed_there() -> None:
    mesh, _ = surface(scene(Balls(((0.9, 0.0, 0.0), RADIUS))))
    assert mesh.is_watertight
    assert mesh.vertices[:, 0].max() == pytest.approx(1.0, abs=2 / CELLS)


def test_the_grid_becomes_coarser_until_the_faces_are_few_enough() -> None:
    warnings: list[str] = []
    mesh, resolution = surface(scene(Balls(((0.0, 0.0, 0.0), RADIUS))), warnings, faces=2000)
    assert 1000 < len(mesh.faces) <= 2000
    assert resolution < CELLS
    assert warnings == ["params.reduced"]


def test_of_a_scene_without_bounds_the_middle_is_exported_and_that_is_said() -> None:
    class Flat(Balls):
        """Solid ground below z = 0, everywhere."""

        def code(self, points: Tensor, spreads: Tensor) -> Tensor:
            return (np.log(volume.DENSITY) - (points[:, 2] - 0.5) * 200).clamp(-20, 9)[:, None]

    warnings: list[str] = []
    mesh, _ = surface(scene(Flat(), unbounded=True), warnings)
    assert warnings == ["scene.cropped"]
    assert np.abs(mesh.vertices[:, 2]).max() < 2 / CELLS  # the ground alone: no walls where the cube ends
    assert np.abs(mesh.vertices[:, :2]).max() == pytest.approx(1, abs=2 / CELLS)


SPREAD = 2.5 * np.hypot(1, 0.4) / (np.sqrt(12) * 70)  # of a camera of `scene`, in the field's frame


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda cameras: cameras, SPREAD),
        (lambda cameras: [*cameras, *(_resized(one, 8, split="test") for one in cameras * 2)], SPREAD),
        (lambda cameras: [_resized(one, 2.0**-level) for one in cameras for level in range(4)], SPREAD),
        (lambda cameras: [_resized(cameras[0], 1.01), *(_resized(one, 1) for one in cameras[1:])], SPREAD),
        (lambda cameras: [_resized(one, 1, split="test") for one in cameras], 0.0),
    ],
    ids=["one size", "fine pictures held out", "multi-scale", "one cropped", "nothing learnt"],
)
@pytest.mark.parametrize("reduce", [1, 4])
def test_densities_are_those_of_a_pixel_that_was_learnt(change: Any, expected: float, reduce: int) -> None:
    plain = scene(Balls(((0.0, 0.0, 0.0), RADIUS)), (0.3, 0.2, -0.1), 0.5)
    view = RecordingScene(plain.field.field, plain.field.sampler)  # type: ignore[attr-defined]
    record = msgspec.structs.replace(plain.record, reduce=reduce)
    RecordingScene.spreads.clear()
    surface(runtime.Scene(record, tuple(change(list(plain.cameras))), view))
    assert list(RecordingScene.spreads) == [pytest.approx(reduce * expected, rel=1e-6)]


def _resized(camera: folder.CameraRecord, factor: float, split: Any = "train") -> folder.CameraRecord:
    """With so many times the pixels along a side, of the same view."""
    sizes = {"w": round(camera.w * factor), "h": round(camera.h * factor)}
    focal = {"fl_x": camera.fl_x * factor, "fl_y": camera.fl_y * factor}
    centre = {"cx": camera.cx * factor, "cy": camera.cy * factor}
    return msgspec.structs.replace(camera, split=split, **sizes, **focal, **centre)


def test_an_empty_field_is_refused() -> None:
    with pytest.raises(UserError, match="no surface") as refusal:
        surface(scene(Balls()))
    assert refusal.value.code == "scene.bad"
    assert refusal.value.hint


def test_too_few_faces_are_refused() -> None:
    balls = Balls(*(((x, y, z), 0.3) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)))
    with pytest.raises(UserError, match="coarsest") as refusal:
        surface(scene(balls), faces=500)
    assert refusal.value.code == "params.bad"


@pytest.mark.parametrize(
    "option", [{"resolution": 8}, {"resolution": 1024}, {"texture_size": 32}, {"faces": 3}]
)
def test_sizes_out_of_range_are_refused(option: dict[str, int]) -> None:
    with pytest.raises(UserError, match="cannot be used") as refusal:
        base.discover()["export"].read_params(option)
    assert refusal.value.code == "params.bad"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "mesh.obj"], "does not end in .glb"),
        (["--out", "mesh.glb"], "is no scene"),
        (["--out", "mesh.glb", "--resolution", "8"], "resolution"),
    ],
    ids=["not a GLB", "no scene", "too coarse"],
)
def test_what_the_command_cannot_do_is_refused_and_leaves_nothing(
    words: list[str], says: str, private_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "--resolution" in words:
        (tmp_path / "scene.json").write_text("{}", encoding="utf-8")
    ended = CliRunner().invoke(app, ["export", str(tmp_path), *words])
    assert ended.exit_code == 2, ended.output
    assert says in ended.stderr
    assert not list(tmp_path.glob("mesh*"))
