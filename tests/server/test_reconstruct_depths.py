"""Depths that come with pictures are kept with the scene as they are, or refused by one sentence."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import ball_captures
import captures
import depth_captures
import numpy as np
import pytest
import scene_jobs
from maquette_server.cli import captures as reading
from maquette_server.cli.app import app
from maquette_server.datasets import opening
from maquette_server.media import exr
from maquette_server.methods import base
from maquette_server.scenes import folder
from maquette_server.scenes.files import SceneFiles
from maquette_wire import arrays, messages
from maquette_wire.errors import UserError
from typer.testing import CliRunner


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with pytest.MonkeyPatch.context() as patch:
        scene_jobs.make_quick(patch)
        yield


def test_they_are_files_of_the_scene_that_cameras_name(tmp_path: Path) -> None:
    made = depth_captures.write(tmp_path / "data", 6, without=(0, 4))
    result = scene_jobs.finish(
        "reconstruct", scene_jobs.reconstruct(tmp_path / "data", tmp_path / "store", steps=2)
    )
    assert result.figures["pictures_with_depth"] == 3  # one of four is held out
    scene = scene_jobs.write(result, tmp_path / "scene")
    records = folder.read_cameras(SceneFiles.of_folder(scene))
    assert [one.depth is None for one in records] == [True, False, False, False, True, False]
    assert sorted(path.name for path in (scene / "depths").iterdir()) == [
        Path(one.depth).name for one in records if one.depth
    ]
    for one, frame in zip(records, made.frames, strict=True):
        if one.depth is not None:
            assert Path(one.depth).stem == Path(one.image or "").stem
            expected = depth_captures.depth(frame.world_from_camera, frame.lens)
            np.testing.assert_array_equal(exr.load(scene / one.depth), expected)


def test_a_scene_without_depths_is_what_it_was(tmp_path: Path) -> None:
    ball_captures.write(tmp_path / "data", 4)
    result = scene_jobs.finish(
        "reconstruct", scene_jobs.reconstruct(tmp_path / "data", tmp_path / "store", steps=1)
    )
    assert not [name for name in scene_jobs.files(result) if name.startswith("depths/")]
    assert all(one["depth"] is None for one in json.loads(scene_jobs.files(result)["cameras.json"])["frames"])


def test_the_command_line_brings_those_of_a_data_set(tmp_path: Path, private_home: Path) -> None:
    made = ball_captures.write(tmp_path / "data", 4)
    entries = json.loads((tmp_path / "data" / "transforms.json").read_text())
    pose, lens = made.frames[1].world_from_camera, made.frames[1].lens
    truth = depth_captures.depth(pose, lens)
    thousandths = np.where(np.isfinite(truth), 1000 * truth, 0).round().astype(np.uint16)
    (tmp_path / "data" / "d.png").write_bytes(captures.png16(thousandths[..., None]))
    entries["frames"][1]["depth_file_path"] = "d.png"
    (tmp_path / "data" / "transforms.json").write_text(json.dumps(entries))
    words = ["reconstruct", str(tmp_path / "data"), "--out", str(tmp_path / "scene"), "--steps", "1"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    records = folder.read_cameras(SceneFiles.of_folder(tmp_path / "scene"))
    assert [one.depth is None for one in records] == [True, False, True, True]
    found = exr.load(tmp_path / "scene" / str(records[1].depth))
    assert np.abs(found - np.where(np.isfinite(truth), truth, 0)).max() < 0.0006
    assert (found[~np.isfinite(truth)] == 0).all()


def test_depths_of_a_large_picture_are_sent_no_finer_than_is_of_use(tmp_path: Path) -> None:
    depth_captures.write(tmp_path / "data", 3)
    ramp = np.arange(1500 * 1500, dtype=np.float32).reshape(1500, 1500) + 1
    exr.save(tmp_path / "data" / "depths" / "001.exr", ramp)
    blobs: dict[str, bytes] = {}
    given = reading.depths(opening.read(tmp_path / "data"), blobs)
    assert given is not None
    shapes = [one.shape for one in given.depths if one is not None]
    assert shapes == [(36, 36), (512, 512), (36, 36)]
    sent = arrays.from_bytes("f4", (512, 512), blobs[given.depths[1].digest])
    assert np.isin(sent, ramp).all()


def given(ctx: base.RunContext, store: Path, depths: list[Any]) -> base.RunContext:
    """The job with other depths: arrays, or None."""
    references = []
    for one in depths:
        reference = None
        if one is not None:
            dtype, shape, data = arrays.to_bytes(one)
            reference = arrays.ArrayRef(dtype=dtype, shape=shape, digest=arrays.digest_of(data))
            (store / reference.digest).write_bytes(data)
        references.append(reference)
    inputs = {**ctx.inputs, "depths": messages.DepthsInput(depths=tuple(references))}
    return dataclasses.replace(ctx, inputs=inputs)


def flat(height: int = 36, width: int = 36, dtype: type = np.float32, **changed: float) -> np.ndarray:
    depth = np.full((height, width), 3.0, dtype)
    for at, value in changed.items():
        depth[0, int(at[1:])] = value
    return depth


@pytest.mark.parametrize(
    ("depths", "says"),
    [
        ([None] * 3, "4 cameras came with 3 depths"),
        ([None, flat(dtype=np.float64), None, None], "f8 [36 x 36]"),
        ([None, flat()[None], None, None], "f4 [1 x 36 x 36]"),
        ([None, flat(0, 0), None, None], "f4 [0 x 0]"),
        ([None, flat(36, 20), None, None], "20 x 36"),
        ([None, flat(_4=np.nan), None, None], "no number"),
        ([None, flat(_4=-1.0), None, None], "behind"),
        ([None, flat(_4=-np.inf), None, None], "behind"),
    ],
)
def test_what_cannot_be_depths_is_refused(tmp_path: Path, depths: list[Any], says: str) -> None:
    ball_captures.write(tmp_path / "data", 4)
    ctx = scene_jobs.reconstruct(tmp_path / "data", tmp_path / "store", steps=1)
    with pytest.raises(UserError) as caught:
        scene_jobs.finish("reconstruct", given(ctx, tmp_path / "store", depths))
    assert caught.value.code == "input.bad"
    assert says in caught.value.sentence
    assert "\n" not in caught.value.line()


def test_depths_may_be_coarser_than_their_picture(tmp_path: Path) -> None:
    ball_captures.write(tmp_path / "data", 4)
    ctx = scene_jobs.reconstruct(tmp_path / "data", tmp_path / "store", steps=1)
    ctx = given(ctx, tmp_path / "store", [None, flat(12, 12), None, flat(18, 18, _3=np.inf)])
    result = scene_jobs.finish("reconstruct", ctx)
    assert result.figures["pictures_with_depth"] == 2
