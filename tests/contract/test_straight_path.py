"""Submit, follow, fetch: over a real socket with a real worker."""

from collections.abc import Callable

import msgspec
import numpy as np
from maquette_wire import arrays, messages

from tests.contract.real_server import Client, RealServer


def test_a_job_gives_its_result_and_its_report(client: Client) -> None:
    job = client.submit("counter", steps=5, label="a warning")
    client.until_state(job, "succeeded")
    assert client.states(job) == ["queued", "running", "succeeded"]
    result = client.result(job)
    items = {item.name: item for item in result.items}
    assert len(client.download(items["sum.bin"])) == 128
    steps = items["steps"]
    np.testing.assert_array_equal(
        arrays.from_bytes(steps.dtype, steps.shape, client.download(steps)), [[5, 5]]
    )
    report = msgspec.json.decode(client.download(items["report.json"]))
    assert report == result.report
    assert {"method", "preset", "seed", "device", "backends", "versions", "seconds", "memory"} <= set(report)
    assert set(report["memory"]) == {"peak_host_mb", "peak_device_mb"}
    assert report["memory"]["peak_host_mb"] > 10
    assert report["figures"] == {"steps": 5}
    assert report["warnings"] == [{"code": "counter.label", "sentence": "a warning"}]
    assert report["promise"] == "bit-equal"


def test_every_number_comes_once_and_in_order(client: Client) -> None:
    job = client.submit("counter", steps=30, seconds=0.02)
    client.until_state(job, "succeeded")
    numbers = [event.number for event in client.events]
    assert numbers == sorted(set(numbers))


def test_a_late_follower_hears_only_what_is_newer(
    server: RealServer, client: Client, connect: Callable[..., Client]
) -> None:
    job = client.submit("counter", steps=3)
    client.until_state(job, "succeeded")
    number = next(event.number for event in client.events if isinstance(event.body, messages.ResultBody))
    late = connect(server, follow=False)
    assert client.link.welcome is not None
    late.link.follow(after=number - 1, folder_id=client.link.welcome.folder_id)
    late.until_state(job, "succeeded")
    assert [type(event.body) for event in late.events] == [messages.ResultBody, messages.StateBody]


def test_previews_are_as_small_as_asked_for(server: RealServer, connect: Callable[..., Client]) -> None:
    watching = connect(server, follow=False)
    watching.link.follow(preview=messages.PreviewWish(max_px=32, min_ms=100))
    plain = connect(server)
    job = watching.submit("counter", steps=60, seconds=0.02, preview=64)
    watching.until_state(job, "succeeded")
    plain.until_state(job, "succeeded")
    shapes = {body.preview.shape for body in watching.bodies(messages.SnapshotBody, job)}
    assert shapes == {(32, 32, 4)}
    assert all(body.preview is None for body in plain.bodies(messages.SnapshotBody, job))
