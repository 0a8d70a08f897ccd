"""Parts of the worker on their own: time, state, faults."""

import itertools
import time
import types
from pathlib import Path

import msgspec
import numpy as np
import pytest
from maquette_server.engine import attempts
from maquette_server.engine import worker_messages as wire
from maquette_server.methods import base
from maquette_server.worker import attempt, device_memory, faults, models, outputs, states, timing
from maquette_wire import messages
from maquette_wire.errors import UserError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock finds one second more."""
    seconds = itertools.count(0.0)
    monkeypatch.setattr(timing.time, "monotonic", lambda: next(seconds))


@pytest.mark.usefixtures("clock")
def test_time_between_two_steps_does_not_count() -> None:
    work = timing.WorkClock(10.0, {"paint": 10.0})
    work.run()
    work.stage("paint")
    work.hold()
    assert work.seconds == 12.0
    assert work.seconds == 12.0
    assert work.stages == {"prepare": 1.0, "paint": 11.0}


def test_the_seconds_left_are_those_of_usual_steps() -> None:
    forecast = timing.Forecast()
    assert forecast.left(10) is None
    for seconds in (100.0, 50.0, 1.0, 1.0, 30.0):  # warm-up first, an exception last
        forecast.stepped("paint", seconds)
    assert forecast.left(10) == 10.0
    forecast.stepped("bake", 9.0)
    assert forecast.left(10) is None


def test_a_state_comes_back_as_it_was() -> None:
    import torch

    shared = torch.arange(6.0)
    tensors = {
        "plain": shared,
        "same": shared,
        "view": shared[::2],
        "bits": torch.Generator().get_state(),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "grad": torch.ones(2, requires_grad=True),
    }
    framework, data = states.to_bytes(base.State(tensors, {}))
    record = attempts.Record(
        progress=attempts.Progress(step=1), values={"a": 1}, framework=framework, tensors_digest=""
    )
    back = states.from_checkpoint(attempts.Checkpoint(folder=None, record=record, tensors=data))  # type: ignore[arg-type]
    assert back.values == {"a": 1}
    for name, tensor in tensors.items():
        torch.testing.assert_close(back.tensors[name], tensor.detach(), rtol=0, atol=0)


def test_a_state_of_numpy_needs_no_torch() -> None:
    framework, data = states.to_bytes(base.State({"x": np.arange(3)[::-1]}, {}))
    assert framework == "numpy"
    record = attempts.Record(
        progress=attempts.Progress(step=1), values={}, framework=framework, tensors_digest=""
    )
    back = states.from_checkpoint(attempts.Checkpoint(folder=None, record=record, tensors=data))  # type: ignore[arg-type]
    np.testing.assert_array_equal(back.tensors["x"], [2, 1, 0])


def test_a_full_disk_is_known_behind_another_error() -> None:
    error = UserError("disk.full", "Full.")
    assert faults.disk_full(error)
    assert faults.disk_full(OSError(28, "No space left on device"))
    assert not faults.disk_full(OSError(2, "No such file"))
    outer = RuntimeError("could not save")
    outer.__cause__ = OSError(28, "No space left on device")
    assert faults.disk_full(outer)


def pausing(folder: Path, pauses: int) -> wire.Request:
    return wire.Request(
        job_id="a",
        attempt=1,
        method="pauser",
        package="standins",
        params={"pauses": pauses},
        inputs=(),
        seed=0,
        models={},
        job_folder=str(folder),
        blob_folder=str(folder),
        checkpoint_seconds=10.0,
        budget=1,
    )


@pytest.mark.parametrize(("device", "held"), [("cpu", ["instruct_edit", "lpips"]), ("cuda:0", ["lpips"])])
def test_on_a_gpu_a_job_begins_without_the_models_that_it_does_not_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, held: list[str]
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setattr(models, "_load", lambda path, device, kind: object())
    loaded = models.Models()
    for kind in ("instruct_edit", "lpips"):
        loaded.get(kind, "folder", device)
    request = msgspec.structs.replace(pausing(tmp_path, 1), models={"lpips": "folder"})
    attempt.Attempt(request, device, loaded, lambda message: None, lambda: None).run()
    assert sorted(loaded.kinds) == held


def test_pauses_are_told_now_and_then_and_both_ends_of_a_stage_always(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    told: list[messages.ProgressBody] = []

    def send(message: wire.FromWorker) -> None:
        assert not isinstance(message, wire.Broke), message
        if isinstance(message, wire.Progressed):
            told.append(message.body)

    request = pausing(tmp_path, 1000)
    began = time.monotonic()
    attempt.Attempt(request, "cpu", models.Models(), send, lambda: None).run()
    in_between = (time.monotonic() - began) / attempt.PROGRESS_SPACING
    places = [(body.stage, body.step) for body in told]
    ends = [("prepare", 0), ("paint", 1), ("paint", 1000), ("bake", 1000)]
    assert [place for place in dict.fromkeys(places) if place in ends] == ends
    assert len(places) <= len(ends) + in_between


def test_what_a_job_kept_is_handed_over_and_stays(tmp_path: Path) -> None:
    kept = tmp_path / "attempt-1" / "kept" / ("cd" * 32)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"a moment")
    written = outputs.Outputs(tmp_path / "out", tmp_path / "blobs").write(
        base.Item("scene", "moments/1/view.png", kept)
    )
    assert (Path(written.file).read_bytes(), written.digest, written.size) == (b"a moment", kept.name, 8)
    Path(written.file).rename(tmp_path / "adopted")  # as the front takes it
    assert kept.read_bytes() == b"a moment"


def test_what_a_job_was_given_is_named_and_not_written_again(tmp_path: Path) -> None:
    given = tmp_path / ("ab" * 32)
    given.write_bytes(b"a picture")
    written = outputs.Outputs(tmp_path / "out", given.parent).write(base.Item("scene", "images/a.png", given))
    assert (written.file, written.digest, written.size) == ("", given.name, 9)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(("text", "gib"), [("", None), (" 12 ", 12.0), ("0.5", 0.5)])
def test_the_memory_of_a_device_is_limited_by_the_environment(monkeypatch, text, gib) -> None:
    monkeypatch.setenv(device_memory.VARIABLE, text)
    assert device_memory.wished() == gib
    device_memory.limit("cpu")  # whose memory nobody limits


@pytest.mark.parametrize("text", ["much", "-1", "0", "nan", "inf"])
def test_what_is_no_size_of_memory_is_refused(monkeypatch, text) -> None:
    monkeypatch.setenv(device_memory.VARIABLE, text)
    with pytest.raises(UserError, match="no size in GiB"):
        device_memory.limit("cuda:0")


def test_torch_is_held_to_the_limit_and_never_above_all_there_is(monkeypatch) -> None:
    import torch

    given: list[float] = []
    card = types.SimpleNamespace(total_memory=24 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, device: given.append(share)
    )
    for text in ("12", "48"):
        monkeypatch.setenv(device_memory.VARIABLE, text)
        device_memory.limit("cuda:0")
    assert given == [0.5, 1.0]
