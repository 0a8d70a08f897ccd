"""Meshes that are hard to paint are painted all the same, or refused in one sentence."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import painting_jobs
import pytest
import tiny_models
import trimesh
from maquette_server.guidance import loading
from maquette_server.methods import base
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import Image

from tests.server import shapes


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> loading.TextToImage:
    folder = tiny_models.pocket_like(tmp_path_factory.mktemp("model") / "tiny")
    return loading.load(str(folder), "cpu", "text_to_image")


def picture(result: base.Result, name: str) -> NDArray[np.uint8]:
    data = next(item.data for item in result.items if item.name == name)
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def corners_of_glb(result: base.Result) -> NDArray[np.float64]:
    """[T, 3, 3] in the scene of the file."""
    data = next(item.data for item in result.items if item.name == "mesh.glb")
    scene = trimesh.load(io.BytesIO(data), file_type="glb", process=False)
    (name,) = scene.graph.nodes_geometry
    matrix, geometry = scene.graph[name]
    return trimesh.transform_points(
        scene.geometry[geometry].triangles.astype(np.float64).reshape(-1, 3), matrix
    ).reshape(-1, 3, 3)


def cells(count: int) -> NDArray[np.float64]:
    """UVs [count, 3, 2]: each face in a square of its own."""
    row = int(np.ceil(np.sqrt(count)))
    place = np.stack([np.arange(count) % row, np.arange(count) // row], 1)[:, None]
    return (place + np.array([[0.2, 0.2], [0.8, 0.2], [0.2, 0.8]])) / row


@pytest.fixture(scope="module")
def plain(model: loading.TextToImage, tmp_path_factory: pytest.TempPathFactory) -> base.Result:
    positions, triangles = shapes.sphere(6, 8)
    path = tmp_path_factory.mktemp("plain") / "a.obj"
    painting_jobs.write_obj(path, positions, triangles, cells(len(triangles)))
    return painting_jobs.finish(painting_jobs.of_file(path, model))


@pytest.mark.parametrize(
    ("scale", "shift", "note"),
    [(1e-5, 0.0, "tiny"), (1e6, 0.0, "huge"), (1.0, 1e7, "far from the origin")],
)
def test_size_and_place_change_neither_texture_nor_preview(
    model: loading.TextToImage, plain: base.Result, tmp_path: Path, scale: float, shift: float, note: str
) -> None:
    positions, triangles = shapes.sphere(6, 8)
    positions = positions * scale + shift
    said: list[str] = []
    path = painting_jobs.write_obj(tmp_path / "a.obj", positions, triangles, cells(len(triangles)))
    result = painting_jobs.finish(painting_jobs.of_file(path, model, said))
    for name in ("texture.png", "preview.png"):
        apart = np.abs(picture(result, name).astype(int) - picture(plain, name))
        assert np.percentile(apart, 99) <= 2, name
    np.testing.assert_allclose(corners_of_glb(result), positions[triangles], atol=1e-6 * scale, rtol=1e-12)
    assert any(note in sentence for sentence in said)


def test_edges_of_three_faces_are_told_and_painted(model: loading.TextToImage, tmp_path: Path) -> None:
    positions = np.array([[0, 0, 0], [0, 1, 0], [1, 0.5, 0], [-1, 0.5, 0], [0, 0.5, 1]], float)
    triangles = np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]])
    said: list[str] = []
    path = painting_jobs.write_obj(tmp_path / "fins.obj", positions, triangles)
    result = painting_jobs.finish(painting_jobs.of_file(path, model, said))
    assert result.figures["unseen_texels"] < 0.05
    assert any("more than two faces" in sentence for sentence in said)


def test_three_hundred_parts_are_told_and_painted(model: loading.TextToImage, tmp_path: Path) -> None:
    positions, triangles = shapes.cube()
    grid = np.stack(np.meshgrid(np.arange(10), np.arange(10), np.arange(3)), -1).reshape(-1, 3) * 6.0
    all_positions = (positions + grid[:, None]).reshape(-1, 3)
    all_triangles = (triangles + 8 * np.arange(300)[:, None, None]).reshape(-1, 3)
    said: list[str] = []
    path = painting_jobs.write_obj(tmp_path / "parts.obj", all_positions, all_triangles)
    result = painting_jobs.finish(painting_jobs.of_file(path, model, said, texture_size=512))
    assert result.figures["visible_unseen"] < 0.02
    assert any("300 separate parts" in sentence for sentence in said)


def test_faces_without_area_are_left_out_and_told(model: loading.TextToImage, tmp_path: Path) -> None:
    positions, triangles = shapes.sphere(8, 16)
    lines = np.array([[0, 0, 1], [5, 5, 5], [1, 2, 1]])
    said: list[str] = []
    path = painting_jobs.write_obj(tmp_path / "lines.obj", positions, np.concatenate([lines, triangles]))
    result = painting_jobs.finish(painting_jobs.of_file(path, model, said))
    assert result.figures["faces"] == len(triangles) + 3
    assert result.figures["visible_unseen"] < 0.01
    assert any(f"3 of {len(triangles) + 3} faces have no area" in sentence for sentence in said)


def test_one_vertex_that_is_no_number_has_the_mesh_refused_by_its_number(
    model: loading.TextToImage, tmp_path: Path
) -> None:
    positions, triangles = shapes.sphere(8, 16)
    positions[7] = np.nan
    path = painting_jobs.write_obj(tmp_path / "nan.obj", positions, triangles)
    with pytest.raises(UserError) as caught:
        painting_jobs.of_file(path, model)
    assert caught.value.code == "mesh.not_finite"
    assert "number 8" in caught.value.line()  # files count from 1


@pytest.mark.slow
def test_half_a_million_faces_are_painted_in_minutes(tmp_path: Path, maquette: Any) -> None:
    path = painting_jobs.write_obj(tmp_path / "dense.obj", *shapes.sphere(500, 501))
    words = ["--prompt", "a red ball", "--preset", "draft", "--steps", 20, "--texture-size", 512]
    done = maquette("paint", path, "--out", tmp_path / "out", *words, timeout=900)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["figures"]["faces"] == 2 * 501 * 499
    assert report["figures"]["uv"].startswith("six directions")
    assert report["figures"]["visible_unseen"] < 0.01
    assert report["memory"]["peak_host_mb"] < 6000
