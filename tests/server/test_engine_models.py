"""The models of a job: chosen once, noted with the job, and never exchanged without a word."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from maquette_server import config
from maquette_server.engine import engine, journal
from maquette_server.worker import models
from maquette_wire import messages

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[[str], engine.JobEngine]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts an engine in the same folder, with the models `first` and `second`, one of which is the
    default.
    """
    path = [str(ROOT / part) for part in ("server", "shared", "tests/server")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.syspath_prepend(path[-1])
    entries = {}
    for name in ("first", "second"):
        shutil.copytree(config.POCKET, tmp_path / name)
        entries[name] = config.ModelEntry(path=str(tmp_path / name))
    change(tmp_path / "second")
    made: list[engine.JobEngine] = []

    def start(default: str) -> engine.JobEngine:
        settings = config.Config(
            method_packages=("standins",), checkpoint_seconds=0.1, models=entries, default_model=default
        )
        made.append(engine.JobEngine(tmp_path / "folder", settings, devices=("cpu",)))
        return made[-1]

    yield start
    made[-1].close()


def change(model: Path) -> None:
    """The model of that folder is another one now."""
    (model / "note.txt").write_text("retrained", encoding="utf-8")


def digest(model: Path) -> str:
    return config.describe("", config.ModelEntry(path=str(model))).digest


def half_done(jobs: engine.JobEngine) -> str:
    """Submits a job and closes the engine when the job has a checkpoint."""
    submit = messages.Submit(request_id="a", method="chooser", params={"steps": 60, "seconds": 0.02})
    job = jobs.submit(submit).job_id
    while not list(jobs._folder.glob("jobs/*/*/checkpoint-*/state.json")):
        jobs.pump(0.05)
    jobs.close()
    return job


def report(jobs: engine.JobEngine, job: str) -> dict[str, object]:
    """Pumps until the job is done; its report."""
    while jobs.view(job).state not in messages.FINAL_STATES:
        jobs.pump(0.05)
    (body,) = (e.body for e in jobs.follow(job_id=job) if isinstance(e.body, messages.ResultBody))
    return body.report


def codes(report: dict[str, object]) -> list[str]:
    warnings = report["warnings"]
    assert isinstance(warnings, list)
    return [warning["code"] for warning in warnings]


def test_another_default_changes_nothing_about_a_job_that_has_begun(start: Start, tmp_path: Path) -> None:
    job = half_done(start("first"))
    found = report(start("second"), job)
    assert found["attempts"] == 2
    assert found["models"] == {"text_to_image": "first"}
    assert found["model_digests"] == {"text_to_image": digest(tmp_path / "first")}
    assert found["promise"] == "bit-equal"
    assert codes(found) == []


def test_a_job_that_goes_on_with_a_changed_model_says_so_and_promises_less(
    start: Start, tmp_path: Path
) -> None:
    job = half_done(start("first"))
    before = digest(tmp_path / "first")
    change(tmp_path / "first")
    found = report(start("first"), job)
    assert found["model_digests"] == {"text_to_image": digest(tmp_path / "first")}
    assert found["promise"] == "no step lost"
    assert codes(found) == ["model.changed"]
    assert before != digest(tmp_path / "first")
    assert before[:12] in str(found["warnings"])


def test_a_model_that_changes_before_the_first_step_is_the_one_that_counts(
    start: Start, tmp_path: Path
) -> None:
    jobs = start("first")
    job = jobs.submit(messages.Submit(request_id="a", method="chooser")).job_id
    change(tmp_path / "first")
    found = report(jobs, job)
    assert found["model_digests"] == {"text_to_image": digest(tmp_path / "first")}
    assert found["promise"] == "bit-equal"
    assert codes(found) == []


def test_a_half_done_job_of_an_older_version_promises_less(start: Start, tmp_path: Path) -> None:
    job = half_done(start("first"))
    with sqlite3.connect(tmp_path / "folder" / "journal.sqlite") as base:
        kept = msgspec.msgpack.decode(base.execute("select kept from jobs").fetchone()[0])
        del kept["models"]
        base.execute("update jobs set kept = ?", (msgspec.msgpack.encode(kept),))
    base.close()
    found = report(start("first"), job)
    assert found["models"] == {"text_to_image": "first"}
    assert found["promise"] == "no step lost"
    assert codes(found) == ["model.changed"]


def test_a_digest_that_is_not_known_is_null_in_the_report(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config.weights, "digest", _unreadable)
    jobs = start("first")
    job = jobs.submit(messages.Submit(request_id="a", method="chooser")).job_id
    assert report(jobs, job)["model_digests"] == {"text_to_image": None}


def _unreadable(folder: Path) -> str:
    raise OSError


def test_a_job_whose_model_is_gone_fails_by_its_name(start: Start) -> None:
    jobs = start("first")
    job = jobs.submit(messages.Submit(request_id="a", method="chooser")).job_id
    del jobs._models["first"]
    while jobs.view(job).state != "failed":
        jobs.pump(0.05)
    fault = jobs.view(job).fault
    assert fault is not None
    assert fault.code == "model.not_found"
    assert "'first'" in fault.sentence


def test_the_models_of_a_job_come_back(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    request = messages.Submit(request_id="a", method="m")
    job = journal.Job("a", request, "somebody", 123, models={"text_to_image": journal.Model("x", "0" * 64)})
    book.save(job)
    book.close()
    assert journal.Journal(tmp_path).jobs() == [job]


def test_a_worker_loads_a_model_anew_when_it_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from maquette_server.guidance import loading

    loaded: list[str] = []
    monkeypatch.setattr(loading, "load", lambda path, device, kind: loaded.append(path) or object())
    held = models.Models()
    first = held.get("text_to_image", "folder", "cpu", "1")
    assert held.get("text_to_image", "folder", "cpu", "1") is first
    assert held.get("text_to_image", "folder", "cpu", "2") is not first
    assert len(loaded) == 2
