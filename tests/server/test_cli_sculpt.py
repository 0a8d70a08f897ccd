"""`maquette sculpt` as a user runs it: the real method and the embedded model, in a process of its own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

SCENE = {"scene.json", "cameras.json", "checkpoints"}
MADE = {"mesh.glb", "texture.png", "preview.png", "turntable.mp4", "report.json"}
QUICK = ("--steps", "60", "--texture-size", "256", "--device", "cpu")


@pytest.mark.slow
def test_a_sketch_becomes_an_object_that_is_a_scene(data: Path, maquette: Any, tmp_path: Path) -> None:
    sketch, potion = data / "meshes" / "potion.obj", tmp_path / "bottle"
    words = ["--prompt", "a red bottle", "--out", potion, "--softness", "0.1", *QUICK]
    done = maquette("sculpt", sketch, *words)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in potion.iterdir()} == SCENE | MADE
    _is_a_red_bottle(potion, sketch)

    words = ["--cameras", "turntable:2", "--size", "64x64", "--out", "frames"]
    assert maquette("render", potion, *words).returncode == 0
    picture = np.asarray(Image.open(tmp_path / "frames" / "00000.png").convert("RGB")).astype(int)
    middle = picture[28:44, 28:36].reshape(-1, 3).mean(0)
    assert middle[0] > 2 * middle[1:].max()
    exported = maquette("export", potion, "--resolution", "32", "--texture-size", "64", "--out", "m.glb")
    assert exported.returncode == 0, exported.stderr
    refused = maquette("evaluate", potion, "--out", "e.json")
    assert refused.returncode == 2
    assert "was not learnt from pictures" in refused.stderr

    again = maquette("sculpt", "--prompt", "a blue ball", "--out", potion, *QUICK)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr


def _is_a_red_bottle(scene: Path, sketch: Path) -> None:
    report = json.loads((scene / "report.json").read_text(encoding="utf-8"))
    figures = report["figures"]
    assert report["method"] == "latent_nerf"
    assert figures["sketch"]["iou"] > 0.6
    assert figures["parts"] < 4
    assert figures["named_colour"]["red"] > 0.5
    made = trimesh.load(scene / "mesh.glb", force="mesh").bounds
    given = trimesh.load(sketch, force="mesh").bounds
    assert np.abs(made - given).max() < 0.12 * np.ptp(given, axis=0).max()


def test_bad_sketches_and_directions_are_refused(maquette: Any, tmp_path: Path) -> None:
    plane = tmp_path / "plane.obj"
    plane.write_text("v 0 0 0\nv 1 0 0\nv 1 0 1\nv 0 0 1\nf 1 2 3 4\n", encoding="utf-8")
    flat = maquette("sculpt", plane, "--prompt", "a red ball", "--out", "out", *QUICK)
    assert flat.returncode == 2
    assert "encloses no volume" in flat.stderr
    assert not (tmp_path / "out").exists()
    missing = maquette("sculpt", "nothing.obj", "--prompt", "a red ball", "--out", "out", *QUICK)
    assert missing.returncode == 2
    along = maquette("sculpt", "--prompt", "a ball", "--out", "out", "--up", "z", "--front=-z")
    assert along.returncode == 2
    locked = maquette("sculpt", "--prompt", "a ball", "--out", "out", "--lock")
    assert locked.returncode == 2
    assert "--lock says how a sketch is kept to" in locked.stderr
    empty = maquette("sculpt", "--prompt", " ", "--out", "out", "--up", "z")
    assert empty.returncode == 2
    assert "prompt" in empty.stderr
