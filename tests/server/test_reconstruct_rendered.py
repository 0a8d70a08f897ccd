"""A scene that Blender renders here and now becomes a field that shows it from where no picture was taken."""

import json
from collections.abc import Callable
from pathlib import Path

import captures_rendered
import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.blender, pytest.mark.slow]

SIDE, TRAIN, TEST = 40, 24, 3
STEPS = 250
BEHIND = 1.0  # white
FLOOR = 8.0  # dB better than a picture of the mean colour


def over_white(path: Path) -> np.ndarray:
    picture = np.asarray(Image.open(path)).astype(np.float64) / 255
    return picture[..., :3] * picture[..., 3:] + BEHIND * (1 - picture[..., 3:])


def flat_psnr(folder: Path) -> float:
    """What a picture of nothing but the mean colour of the held-out pictures would reach."""
    pictures = np.stack([over_white(path) for path in sorted((folder / "test").glob("*.png"))])
    errors = ((pictures - pictures.mean((0, 1, 2))) ** 2).mean((1, 2, 3))
    return float(np.mean(-10 * np.log10(errors)))


def test_a_scene_rendered_by_blender_is_reconstructed(
    maquette: Callable[..., object], tmp_path: Path
) -> None:
    folder = tmp_path / "locomotive"
    captures_rendered.render(folder, SIDE, TRAIN, TEST)
    assert len(list((folder / "train").glob("*.png"))) == TRAIN
    checked = maquette("dataset", "check", folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    learnt = maquette("reconstruct", folder, "--out", "scene", "--steps", STEPS)
    assert learnt.returncode == 0, learnt.stdout + learnt.stderr
    judged = maquette("evaluate", "scene", "--out", "judged.json")
    assert judged.returncode == 0, judged.stdout + judged.stderr
    found = json.loads((tmp_path / "judged.json").read_text(encoding="utf-8"))
    assert len(found["images"]) == TEST
    flat = flat_psnr(folder)
    assert found["psnr"] >= flat + FLOOR, (found["psnr"], flat)
