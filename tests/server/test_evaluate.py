"""Evaluations: at the size that was learnt from, by scale, without what masks leave out, with LPIPS."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ball_captures
import captures
import numpy as np
import pytest
import safetensors.torch
import scene_jobs
import torch
from maquette_server import config
from maquette_server.cli.app import app
from maquette_server.datasets import multiscale, writing
from maquette_server.engine import engine as engines
from maquette_server.media import png
from maquette_server.metrics import lpips
from maquette_wire.errors import UserError
from typer.testing import CliRunner

SIDE = ball_captures.SIDE


@pytest.fixture(autouse=True)
def quick_training(monkeypatch: pytest.MonkeyPatch) -> None:
    scene_jobs.make_quick(monkeypatch)


@pytest.fixture
def learn(tmp_path: Path) -> Callable[..., Path]:
    """`learn(...)` is the folder of a scene that learnt from `tmp_path / "data"` for a moment."""

    def made(data: Path = tmp_path / "data", **options: Any) -> Path:
        job = scene_jobs.reconstruct(data, tmp_path / "store", steps=3, **options)
        return scene_jobs.write(scene_jobs.finish("reconstruct", job), tmp_path / "scene")

    return made


def evaluated(scene: Path, **options: Any) -> dict[str, Any]:
    job = scene_jobs.of_scene("evaluate", scene, scene.parent / "store", **options)
    found: dict[str, Any] = json.loads(
        scene_jobs.files(scene_jobs.finish("evaluate", job))["evaluation.json"]
    )
    return found


def test_a_scene_is_judged_at_the_size_that_it_learnt_from(learn, tmp_path: Path) -> None:
    ball_captures.write(tmp_path / "data", 8)
    scene = learn(reduce=4)
    assert json.loads((scene / "scene.json").read_text())["reduce"] == 4
    usual, small, whole = (evaluated(scene, **options) for options in ({}, {"reduce": 4}, {"reduce": 1}))
    assert usual["images"] == small["images"]
    assert (usual["reduce"], whole["reduce"]) == (4, 1)
    assert [(row["width"], row["height"]) for row in usual["images"]] == [(SIDE // 4, SIDE // 4)] * 2
    assert [(row["width"], row["height"]) for row in whole["images"]] == [(SIDE, SIDE)] * 2
    assert usual["psnr"] != whole["psnr"]
    with pytest.raises(UserError, match="divided by 64") as refused:
        evaluated(scene, reduce=64)
    assert refused.value.code == "params.bad"


def test_a_scene_of_before_was_learnt_from_whole_pictures(learn, tmp_path: Path) -> None:
    ball_captures.write(tmp_path / "data", 8)
    scene = learn()
    expected = evaluated(scene)
    record = json.loads((scene / "scene.json").read_text())
    assert record.pop("reduce") == 1
    (scene / "scene.json").write_text(json.dumps(record))
    found = evaluated(scene)
    assert found["reduce"] == 1
    assert found["images"] == expected["images"]


def test_a_multi_scale_set_has_a_row_for_each_scale(learn, tmp_path: Path) -> None:
    made = ball_captures.write(tmp_path / "plain", 8)
    multiscale.convert(made, tmp_path / "data", 3)
    found = evaluated(learn())
    assert [(row["width"], row["pictures"]) for row in found["scales"]] == [(36, 2), (18, 2), (9, 2)]
    for scale in found["scales"]:
        own = [row["psnr"] for row in found["images"] if row["width"] == scale["width"]]
        assert scale["psnr"] == pytest.approx(np.mean(own), abs=1e-3)
    assert found["psnr"] == pytest.approx(np.mean([row["psnr"] for row in found["scales"]]), abs=1e-3)
    assert [row["ssim"] is None for row in found["scales"]] == [False, False, True]  # 9 pixels are too few
    assert found["ssim"] is not None


def masked(folder: Path, hidden: Callable[[int], bool]) -> None:
    """The ball with masks: nothing of the frames that are `hidden`, the left half of the others."""
    made = ball_captures.write(folder, 8)
    frames = []
    for number, frame in enumerate(made.frames):
        kept = np.zeros((SIDE, SIDE, 3), np.uint8)
        kept[:, : 0 if hidden(number) else SIDE // 2] = 255
        frames.append(dataclasses.replace(frame, mask=captures.save(folder / f"masks/{number}.png", kept)))
    writing.write(dataclasses.replace(made, frames=tuple(frames)), folder)


def test_a_picture_of_which_nothing_is_known_is_left_out_and_told(learn, tmp_path: Path) -> None:
    masked(tmp_path / "data", lambda number: number == 2)
    scene = learn()
    warnings: list[tuple[str, str]] = []
    found = evaluated(scene, warnings=warnings)
    assert [row["name"] for row in found["images"]] == ["images/006.png"]
    assert found["left_out"] == ["images/002.png"]
    assert found["psnr"] < 60
    assert found["images"][0]["known"] == 0.5
    ((_, sentence),) = warnings
    assert "images/002.png" in sentence


def test_when_nothing_is_left_to_compare_it_is_refused(learn, tmp_path: Path) -> None:
    masked(tmp_path / "data", lambda number: number % 4 == 2)
    scene = learn()
    with pytest.raises(UserError, match="every pixel") as refused:
        evaluated(scene)
    assert refused.value.code == "scene.bad"


# ---- LPIPS ---------------------------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random weights of AlexNet and its heads, under the names of their publishers."""
    folder = tmp_path / "published"
    folder.mkdir()
    model = lpips.Lpips("alex")
    generator = torch.Generator().manual_seed(1)
    backbone = {
        f"features.{name}": torch.randn(value.shape, generator=generator) * 0.05
        for name, value in model.features.state_dict().items()
    }
    backbone["classifier.6.weight"] = torch.zeros(3)
    torch.save(backbone, folder / "alexnet-owt-7be5be79.pth")
    heads = {f"lin{n}.model.1.weight": torch.rand(head.shape) for n, head in enumerate(model.heads)}
    torch.save(heads, folder / "lpips_v0.1_alex.pth")
    return folder


def test_converted_weights_measure_the_same(weights: Path, tmp_path: Path) -> None:
    assert lpips.convert(weights, tmp_path / "kept") == "alex"
    files = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert files == ["alexnet.safetensors", "lpips_v0.1_alex.safetensors"]
    assert "classifier.6.weight" not in safetensors.torch.load_file(tmp_path / "kept" / files[0])
    plain = lpips.read(
        "alex", backbone=weights / "alexnet-owt-7be5be79.pth", heads=weights / "lpips_v0.1_alex.pth"
    )
    pair = torch.rand(2, 1, 3, 40, 40)
    assert torch.equal(plain(*pair), lpips.load_any(tmp_path / "kept")(*pair))
    assert float(plain(*pair)) > 0


@pytest.mark.parametrize("lacking", ["alexnet-owt-7be5be79.pth", "lpips_v0.1_alex.pth"])
def test_half_of_the_weights_are_none(weights: Path, tmp_path: Path, lacking: str) -> None:
    (weights / lacking).unlink()
    with pytest.raises(UserError) as refused:
        lpips.convert(weights, tmp_path / "kept")
    assert refused.value.code == "lpips.missing"
    assert not (tmp_path / "kept").exists()


def test_lpips_is_measured_where_there_are_weights(learn, weights: Path, tmp_path: Path) -> None:
    ball_captures.write(tmp_path / "data", 8)
    scene = learn()
    lpips.convert(weights, tmp_path / "kept")
    model = lpips.load_any(tmp_path / "kept")
    found = evaluated(scene, model=lambda kind: model)
    assert found["lpips_network"] == "alex"
    assert "why_no_lpips" not in found
    rows = found["images"]
    assert found["lpips"] == pytest.approx(np.mean([row["lpips"] for row in rows]), abs=1e-4)
    assert all(row["lpips"] > 0 for row in rows)
    small = evaluated(scene, model=lambda kind: model, reduce=2)
    assert small["lpips"] is None
    assert "31 pixels" in small["images"][0]["why_no_lpips"]
    off = evaluated(scene, model=lambda kind: model, lpips="off")
    assert off["lpips"] is None
    assert off["why_no_lpips"]


def test_without_weights_lpips_is_null_with_a_reason_or_refused(learn, tmp_path: Path) -> None:
    ball_captures.write(tmp_path / "data", 8)
    scene = learn()
    found = evaluated(scene)
    assert found["lpips"] is None
    assert "configured" in found["why_no_lpips"]
    with pytest.raises(UserError) as refused:
        evaluated(scene, lpips="on")
    assert refused.value.code == "lpips.missing"
    assert "maquette models lpips" in refused.value.hint


def test_weights_are_configured_by_a_command_and_used_by_the_next(
    learn, weights: Path, private_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ball_captures.write(tmp_path / "data", 8)
    scene = learn()
    ended = CliRunner().invoke(app, ["models", "lpips", str(weights), "--json"])
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["lpips"] == "alex"
    listed = CliRunner().invoke(app, ["models", "list", "--json"])
    assert [json.loads(line)["kind"] for line in listed.stdout.splitlines()].count("lpips") == 1
    ended = CliRunner().invoke(
        app, ["evaluate", str(scene), "--out", str(tmp_path / "e.json"), "--lpips", "on"]
    )
    assert ended.exit_code == 0, ended.output
    assert json.loads((tmp_path / "e.json").read_text())["lpips"] > 0
    assert png.read((tmp_path / "e.json.sheet.png").read_bytes()).ndim == 3


def test_a_folder_without_weights_changes_no_configuration(private_home: Path, tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["models", "lpips", str(tmp_path)])
    assert ended.exit_code == 2
    assert config.load(config.data_folder()).lpips == ""


def test_lpips_is_no_model_that_a_client_is_told_of(tmp_path: Path) -> None:
    settings = config.Config(lpips=str(tmp_path))
    engine = engines.JobEngine(tmp_path / "folder", settings, devices=())
    try:
        assert {model.kind for model in engine.models()} <= {"text_to_image", "instruct_edit"}
    finally:
        engine.close()
