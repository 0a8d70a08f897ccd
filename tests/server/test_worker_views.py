"""Pictures of fields as large as the time allows, and what a worker does between their pieces."""

import queue
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from maquette_server.engine import journal, pictures
from maquette_server.engine import worker_messages as wire
from maquette_server.fields.domain import Domain
from maquette_server.rendering import seen
from maquette_server.rendering.rays import Rays
from maquette_server.scenes import folder, runtime
from maquette_server.worker import attempt, field_views, loop
from maquette_wire import arrays, messages
from maquette_wire.errors import UserError

STILL: messages.Matrix = (
    (1.0, 0.0, 0.0, 0.0),
    (0.0, 1.0, 0.0, 0.0),
    (0.0, 0.0, 1.0, 5.0),
    (0.0, 0.0, 0.0, 1.0),
)
FAR_AHEAD = 1e9


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Field:
    """Opaque; red says how far to the right a ray goes, green how far up. A ray takes `seconds`."""

    domain = Domain((0.0, 0.0, 0.0), 1.0, False)
    device = torch.device("cpu")

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds, self.rays = clock, seconds, 0

    def densities(self, points: torch.Tensor, spread: float) -> torch.Tensor:
        raise AssertionError("nobody asks for them")

    def draft(self) -> "Field":
        return self

    def tiles(self, rays: Rays) -> Iterator[seen.Seen]:
        self.clock.now += self.seconds * len(rays)
        self.rays += len(rays)
        red_and_green = rays.directions[:, :2] + 0.5
        colours = torch.cat([red_and_green, torch.zeros(len(rays), 1)], -1)
        yield seen.Seen(colours, torch.ones(len(rays)), torch.full((len(rays),), 2.0))


def view(side: int = 128, deadline_ms: int = 2000, camera: messages.Matrix = STILL) -> messages.View:
    """A square picture in which x and y go from -0.5 to 0.5 at depth 1."""
    return messages.View(
        request_id="r",
        view_id="v",
        scene="s",
        camera=camera,
        fov_y=2 * np.arctan(0.5).item(),
        width=side,
        height=side,
        depth=True,
        deadline_ms=deadline_ms,
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`drawn(field, view, deadline)` draws with a share of 1; `drawn.views` remembers."""
    record = folder.SceneRecord(
        format=1,
        id="i",
        method="m",
        created_by="0",
        field={"type": "one"},
        field_from_scene=folder.matrix(np.eye(4)),
        up=(0.0, 0.0, 1.0),
        front=(0.0, 1.0, 0.0),
        near=0.0,
        far=9.0,
        background="black",
        step=1,
    )
    made: dict[str, Any] = {}

    def draw(field: Field, wanted: messages.View, seconds: float) -> field_views.Drawn:
        monkeypatch.setattr(runtime, "open_scene", lambda files, device: runtime.Scene(record, (), field))
        views = made.setdefault("views", field_views.FieldViews(field.clock))
        work = views.draw(wire.Field(files=()), wanted, tmp_path, "cpu", field.clock.now + seconds, share=1.0)
        while True:
            try:
                next(work)
            except StopIteration as end:
                return cast(field_views.Drawn, end.value)

    return draw


def test_a_field_that_is_quick_enough_is_drawn_as_large_as_asked_for(drawn: Any) -> None:
    field = Field(Clock(), 1e-6)
    colour, depth = drawn(field, view(100), 2.0)
    assert colour.shape == (100, 100, 4)
    ramp = np.round(255 * (np.arange(100) + 0.5) / 100)
    np.testing.assert_allclose(colour[:, :, 0], np.broadcast_to(ramp, (100, 100)), atol=1)
    np.testing.assert_allclose(colour[:, :, 1], np.broadcast_to(ramp[::-1, None], (100, 100)), atol=1)
    assert (colour[..., 3] == 255).all()
    assert (depth == 2.0).all()


@pytest.mark.parametrize(("seconds_for_all", "divisor"), [(1.9, 1), (7.5, 2), (17.0, 3), (31.0, 4)])
def test_a_picture_that_takes_too_long_is_divided_by_the_least_number_that_fits(
    drawn: Any, seconds_for_all: float, divisor: int
) -> None:
    clock = Clock()
    field = Field(clock, seconds_for_all / 128**2)
    drawn(field, view(16), 60.0)  # the pace is known
    before = clock.now
    colour, depth = drawn(field, view(128), 2.0)
    assert colour.shape == (128 // divisor, 128 // divisor, 4)
    assert depth.shape == colour.shape[:2]
    assert clock.now - before <= 2.0


def test_a_picture_that_takes_a_little_longer_than_thought_is_finished(drawn: Any) -> None:
    field = Field(Clock(), 1.9 / 128**2)
    drawn(field, view(16), 60.0)
    field.seconds *= 1.2  # 2.3 seconds for 2.0
    before = field.rays
    assert drawn(field, view(128), 2.0)[0].shape == (128, 128, 4)
    assert field.rays - before == 128**2  # none was seen in vain


def test_a_smaller_picture_shows_the_same_view(drawn: Any) -> None:
    field = Field(Clock(), 8.0 / 131**2)
    drawn(field, view(16), 60.0)
    colour, _ = drawn(field, view(131), 2.0)
    side = colour.shape[0]
    assert side < 131
    ramp = np.round(255 * (np.arange(side) + 0.5) / side)
    np.testing.assert_allclose(colour[:, :, 0], np.broadcast_to(ramp, (side, side)), atol=1)


def test_without_a_known_pace_the_first_picture_is_in_time_too(drawn: Any) -> None:
    clock = Clock()
    field = Field(clock, 20.0 / 256**2)
    before = clock.now
    colour, _ = drawn(field, view(256), 2.0)
    assert clock.now - before <= 2.0
    assert 40 <= colour.shape[0] <= 85  # a divisor of 4 or a little more: what was begun too large is lost


def test_what_is_too_slow_for_any_size_is_refused_and_tried_again_later(drawn: Any) -> None:
    clock = Clock()
    field = Field(clock, 0.1)
    with pytest.raises(UserError, match="in time") as refused:
        drawn(field, view(64), 1.0)
    assert refused.value.code == "view.late"
    field.seconds = 1e-6  # whatever was slow is over
    assert drawn(field, view(64), 1.0)[0].shape == (64, 64, 4)


def test_a_camera_with_a_scale_is_refused(drawn: Any) -> None:
    large = cast(messages.Matrix, tuple(map(tuple, (2.0 * np.eye(4)).tolist())))
    with pytest.raises(UserError) as refused:
        drawn(Field(Clock(), 0.0), view(camera=large), 1.0)
    assert refused.value.code == "input.bad"


# ---- the worker ----------------------------------------------------------------------------------------


class Slow:
    """Stands for the worker's views: pictures of three pieces; `during` is called at each."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.during = lambda: None

    def draw(self, request: wire.Draw, device: str, share: float) -> Generator[None, None, tuple[int, int]]:
        self.begun.append(request.number)
        for _ in range(3):
            self.during()
            yield
        return request.view.width, request.view.height

    def release(self) -> None:
        pass


@pytest.fixture
def worker() -> tuple[loop.Worker, "queue.SimpleQueue[wire.FrontMessage]", list[wire.FromWorker], Slow]:
    inbox: queue.SimpleQueue[wire.FrontMessage] = queue.SimpleQueue()
    said: list[wire.FromWorker] = []
    made, slow = loop.Worker(inbox, said.append, "cpu"), Slow()
    made._views = slow  # type: ignore[assignment]
    return made, inbox, said, slow


def draw(number: int, deadline: float = FAR_AHEAD) -> wire.Draw:
    return wire.Draw(
        number=number, what=wire.Field(files=()), view=view(8), deadline=deadline, blob_folder="", out=""
    )


def running(worker: loop.Worker) -> attempt.Attempt:
    """A job that the worker runs, as it were."""
    request = wire.Request(
        job_id="job",
        attempt=1,
        method="m",
        package="p",
        params={},
        inputs=(),
        seed=0,
        models={},
        job_folder="",
        blob_folder="",
        checkpoint_seconds=1.0,
        budget=0,
    )
    worker._attempt = attempt.Attempt(request, "cpu", worker._models, lambda message: None, lambda: None)
    return worker._attempt


def numbers(said: list[wire.FromWorker]) -> list[tuple[int, str]]:
    return [(one.number, one.fault.code if one.fault else "") for one in said if isinstance(one, wire.Drawn)]


@pytest.mark.parametrize("command", [wire.Cancel, wire.Halt, wire.Stop])
def test_a_command_to_the_job_does_not_wait_for_a_picture(worker: Any, command: type[Any]) -> None:
    made, inbox, said, slow = worker
    current = running(made)
    inbox.put(draw(1))
    slow.during = lambda: inbox.put(command(job_id="job")) if len(slow.begun) == 1 else None
    made._serve()
    assert current.summoned
    assert numbers(said) == []  # not refused either: it is drawn when the job is over
    made._attempt = None
    made._draw(made._pictures.pop(0))
    assert numbers(said) == [(1, "")]


def test_a_job_that_is_to_start_does_not_wait_for_a_picture(worker: Any) -> None:
    made, inbox, said, slow = worker
    slow.during = lambda: inbox.put(wire.Start(request="path"))
    inbox.put(draw(1))
    made._obey()
    made._draw(made._pictures.pop(0))
    assert isinstance(made._heard[0], wire.Start)
    assert (numbers(said), [one.number for one in made._pictures]) == ([], [1])


def test_what_is_said_to_a_job_before_it_starts_is_kept(worker: Any) -> None:
    made, inbox, *_ = worker
    for message in (wire.Start(request="path"), wire.Stop(job_id="job"), draw(1)):
        inbox.put(message)
    made._obey()
    assert [type(one) for one in made._heard] == [wire.Start, wire.Stop, wire.Draw]


def test_after_a_picture_the_job_has_its_turn(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made, inbox, said, slow = worker
    clock = Clock()
    monkeypatch.setattr(loop.time, "monotonic", clock)
    running(made)

    def later() -> None:
        clock.now += 1.0

    slow.during = later
    inbox.put(draw(1))
    inbox.put(draw(2))
    made._serve()  # takes three seconds
    for _ in range(2):
        clock.now += 1.4
        made._serve()
    assert slow.begun == [1]
    clock.now += 0.3
    made._serve()
    assert numbers(said) == [(1, ""), (2, "")]


def test_a_picture_that_nobody_waits_for_is_left_out(worker: Any) -> None:
    made, inbox, said, slow = worker
    for message in (draw(1), draw(2), wire.Skip(number=1)):
        inbox.put(message)
    made._obey()
    assert numbers(said) == [(1, "view.late")]
    slow.during = lambda: inbox.put(wire.Skip(number=2))  # begun already
    made._draw(made._pictures.pop(0))
    made._draw(draw(3, deadline=0.0))
    assert numbers(said) == [(1, "view.late"), (2, ""), (3, "view.late")]


# ---- the front -----------------------------------------------------------------------------------------


class Workers:
    """Stands for the executor: one worker, to whom everything is said in vain."""

    def __init__(self, where: Path) -> None:
        self.workers = [pictures.Worker("cpu", where)]
        self.said: list[wire.FrontMessage] = []

    def send(self, worker: pictures.Worker, message: wire.FrontMessage) -> None:
        self.said.append(message)


def scene_job(*steps: int) -> journal.Job:
    """A running job with snapshots of a scene."""
    names = ("scene.json", "cameras.json", "checkpoints/{}/field.safetensors", "images/a.png")
    job = journal.Job("s", messages.Submit(request_id="r", method="m"), "", 0)
    job.state = "running"
    for step in steps:
        items = tuple(
            messages.ResultItem(
                role="scene", name=name.format(step), digest=arrays.digest_of(b"%d" % step), size=1
            )
            for name in names
        )
        job.snapshots.append((step, items))
    return job


def test_a_view_is_of_the_newest_snapshot_and_never_of_its_pictures(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    queue_of_views = pictures.Pictures(workers, "store")  # type: ignore[arg-type]
    job = scene_job(1)
    queue_of_views.ask(job, view(), "me", lambda picture: None)
    job.snapshots += scene_job(2).snapshots
    queue_of_views.give_out({})
    (sent,) = workers.said
    assert isinstance(sent, wire.Draw)
    assert isinstance(sent.what, wire.Field)
    names = [file.path for file in sent.what.files]
    assert names == ["scene.json", "cameras.json", "checkpoints/2/field.safetensors"]


def test_a_picture_is_as_large_as_the_worker_says(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    queue_of_views = pictures.Pictures(workers, "store")  # type: ignore[arg-type]
    answers: list[pictures.Picture] = []
    queue_of_views.ask(scene_job(1), view(64), "me", answers.append)
    queue_of_views.give_out({})
    colour = np.arange(2 * 3 * 4, dtype=np.uint8)
    (tmp_path / "view").write_bytes(colour.tobytes() + np.arange(6, dtype="<f4").tobytes())
    queue_of_views.drawn(workers.workers[0], wire.Drawn(number=1, width=3, height=2))
    (answer,) = answers
    assert answer.colour is not None
    assert answer.depth is not None
    np.testing.assert_array_equal(answer.colour, colour.reshape(2, 3, 4))
    np.testing.assert_array_equal(answer.depth, np.arange(6).reshape(2, 3))


def test_a_worker_hears_that_a_newer_view_took_the_place_of_its_own(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    queue_of_views = pictures.Pictures(workers, "store")  # type: ignore[arg-type]
    answers: list[pictures.Picture] = []
    queue_of_views.ask(scene_job(1), view(), "me", answers.append)
    queue_of_views.give_out({})
    queue_of_views.ask(scene_job(1), view(), "another", answers.append)
    assert wire.Skip(number=1) not in workers.said
    queue_of_views.ask(scene_job(1), view(), "me", answers.append)
    assert workers.said[-1] == wire.Skip(number=1)
    assert not answers  # the worker may have begun it, and answers in either case


def test_a_job_without_a_snapshot_has_nothing_to_look_at(tmp_path: Path) -> None:
    queue_of_views = pictures.Pictures(Workers(tmp_path), "store")  # type: ignore[arg-type]
    with pytest.raises(UserError) as refused:
        queue_of_views.ask(scene_job(), view(), "me", lambda picture: None)
    assert refused.value.code == "view.nothing"
