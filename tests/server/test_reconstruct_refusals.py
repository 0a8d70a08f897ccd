"""What cannot be learnt from is refused, by one sentence, before anything is learnt."""

import dataclasses
from pathlib import Path
from typing import Any

import ball_captures
import captures
import msgspec
import numpy as np
import pytest
import scene_jobs
from maquette_server.datasets import writing
from maquette_server.methods import base, reconstruct
from maquette_wire.errors import UserError
from scene_jobs import finish


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    ball_captures.write(tmp_path / "ball", 4)
    return tmp_path / "ball"


def refusal(folder: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        finish("reconstruct", scene_jobs.reconstruct(folder, folder.parent / "store", steps=1))
    assert "\n" not in caught.value.line()
    return caught.value


def single(folder: Path) -> None:
    ball_captures.write(folder, 1)


def alike(folder: Path) -> None:
    made = ball_captures.write(folder, 4)
    pose = made.frames[0].world_from_camera
    frames = tuple(dataclasses.replace(frame, world_from_camera=pose) for frame in made.frames)
    writing.write(dataclasses.replace(made, frames=frames), folder)


def masked(folder: Path) -> None:
    made = ball_captures.write(folder, 4)
    kept = np.zeros((ball_captures.SIDE, ball_captures.SIDE, 3), np.uint8)
    frames = tuple(
        dataclasses.replace(frame, mask=captures.save(folder / "masks" / frame.image.name, kept))
        for frame in made.frames
    )
    writing.write(dataclasses.replace(made, frames=frames), folder)


@pytest.mark.parametrize(
    ("make", "says"),
    [(single, "one picture only"), (alike, "one place"), (masked, "masks leave out every pixel")],
)
def test_a_data_set_that_nothing_can_be_learnt_from_is_refused(tmp_path: Path, make, says: str) -> None:
    make(tmp_path / "data")
    error = refusal(tmp_path / "data")
    assert error.code == "dataset.bad"
    assert says in error.sentence
    assert error.hint


def test_a_picture_of_another_size_is_refused_by_its_name(tmp_path: Path) -> None:
    made = ball_captures.write(tmp_path / "data", 4)
    captures.save(made.frames[1].image, captures.noise(20, 30))
    error = refusal(tmp_path / "data")
    assert error.code == "dataset.picture"
    assert "001.png" in error.sentence


def given(folder: Path, change) -> base.RunContext:
    """A job whose inputs were changed on their way."""
    ctx = scene_jobs.reconstruct(folder, folder.parent / "store", steps=1)
    inputs = {role: msgspec.structs.replace(item, **change(role, item)) for role, item in ctx.inputs.items()}
    return dataclasses.replace(ctx, inputs=inputs)


def fewer_pictures(role: str, item: Any) -> dict[str, Any]:
    return {"images": item.images[:-1]} if role == "images" else {}


def fewer_masks(role: str, item: Any) -> dict[str, Any]:
    return {"masks": (None,)} if role == "images" else {}


def no_training(role: str, item: Any) -> dict[str, Any]:
    rows = tuple(msgspec.structs.replace(one, split="test") for one in getattr(item, "cameras", ()))
    return {"cameras": rows} if role == "cameras" else {}


def nothing(role: str, item: Any) -> dict[str, Any]:
    return {"cameras": ()} if role == "cameras" else {"images": ()}


def odd_lens(role: str, item: Any) -> dict[str, Any]:
    rows = tuple(
        msgspec.structs.replace(one, model="opencv", distortion=(0.1,))
        for one in getattr(item, "cameras", ())
    )
    return {"cameras": rows} if role == "cameras" else {}


def skewed(role: str, item: Any) -> dict[str, Any]:
    odd = ((2.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0), (0, 0, 0, 1.0))
    rows = tuple(msgspec.structs.replace(one, world_from_camera=odd) for one in getattr(item, "cameras", ()))
    return {"cameras": rows} if role == "cameras" else {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (fewer_pictures, "input.bad"),
        (fewer_masks, "input.bad"),
        (no_training, "dataset.bad"),
        (nothing, "dataset.bad"),
        (odd_lens, "dataset.bad"),
        (skewed, "dataset.bad"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(ball: Path, change, code: str) -> None:
    with pytest.raises(UserError) as caught:
        finish("reconstruct", given(ball, change))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"steps": 10, "seconds": 5.0}, "both"),
        ({"steps": 0}, "steps"),
        ({"seconds": 0.0}, "seconds"),
        ({"reduce": 0}, "reduce"),
        ({"bounds": "round"}, "bounds"),
        ({"stepz": 3}, "stepz"),
    ],
)
def test_settings_that_do_not_fit_are_refused(params: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as caught:
        reconstruct.METHOD.read_params(params)
    assert caught.value.code == "params.bad"
    assert says in caught.value.sentence
