"""A scene's folder becomes a scene of the server: all of it, as it is, or nothing."""

import json
import shutil
from pathlib import Path
from typing import Any

import ball_captures
import numpy as np
import pytest
import scene_jobs
from maquette_server.methods import base
from maquette_server.scenes import folder, runtime
from maquette_server.scenes.files import SceneFiles
from maquette_wire import arrays, messages
from maquette_wire.errors import UserError


@pytest.fixture(scope="module")
def ball(tmp_path_factory) -> Path:
    """A scene with one moment."""
    place = tmp_path_factory.mktemp("ball")
    ball_captures.write(place / "data", 6)
    with pytest.MonkeyPatch.context() as patch:
        scene_jobs.make_quick(patch)
        made = scene_jobs.finish(
            "reconstruct", scene_jobs.reconstruct(place / "data", place / "store", steps=5)
        )
    scene = scene_jobs.write(made, place / "scene")
    weights = scene / folder.checkpoint_path(5)
    moment = scene / folder.moment_path(0)
    moment.parent.mkdir(parents=True)
    shutil.copyfile(weights, moment)
    record = json.loads((scene / "scene.json").read_text()) | {"moments": [0]}
    (scene / "scene.json").write_text(json.dumps(record))
    return scene


def opened(scene: Path, place: Path) -> base.Result:
    """What the job of the whole folder gives."""
    place.mkdir()
    sent = []
    blobs: dict[str, bytes] = {}
    for path in sorted(path for path in scene.rglob("*") if path.is_file()):
        data = path.read_bytes()
        ref = messages.BlobRef(digest=arrays.digest_of(data), size=len(data))
        blobs[ref.digest] = data
        sent.append(messages.SceneFile(path=path.relative_to(scene).as_posix(), file=ref))
    given: dict[str, Any] = {"scene": messages.SceneInput(files=tuple(sent))}
    return scene_jobs.finish("open_scene", scene_jobs.context(place, "open_scene", given, blobs))


def test_all_files_are_handed_on_as_they_are(ball, tmp_path):
    result = opened(ball, tmp_path / "store")
    copy = scene_jobs.write(result, tmp_path / "copy")
    for path in (path for path in ball.rglob("*") if path.is_file()):
        assert (copy / path.relative_to(ball)).read_bytes() == path.read_bytes()
    assert all(item.role == "scene" for item in result.items)
    assert result.figures == {
        "scene": json.loads((ball / "scene.json").read_text())["id"],
        "scene_step": 5,
        "cameras": 6,
        "moments": 1,
    }
    views = [
        runtime.open_scene(SceneFiles.of_folder(place)).render(
            runtime.open_scene(SceneFiles.of_folder(ball)).cameras[0].posed()
        )
        for place in (ball, copy)
    ]
    assert np.array_equal(views[0].colours, views[1].colours)


def lacking(scene: Path, which: str) -> None:
    if which == "weights":
        shutil.rmtree(scene / "checkpoints")
    elif which == "damage":
        for path in (scene / "checkpoints").glob("*/field.safetensors"):
            path.write_bytes(path.read_bytes()[:100])
    elif which == "picture":
        next((scene / "images").iterdir()).unlink()
    elif which == "moment":
        shutil.rmtree(scene / "moments")
    elif which == "cameras":
        (scene / "cameras.json").unlink()
    else:
        record = json.loads((scene / "scene.json").read_text()) | {"format": 7}
        (scene / "scene.json").write_text(json.dumps(record))


@pytest.mark.parametrize("which", ["weights", "damage", "picture", "moment", "cameras", "format"])
def test_half_a_scene_is_refused(ball, tmp_path, which):
    scene = Path(shutil.copytree(ball, tmp_path / "half"))
    lacking(scene, which)
    with pytest.raises(UserError) as caught:
        opened(scene, tmp_path / "store")
    assert caught.value.code == "scene.bad"
    assert "\n" not in caught.value.line()
