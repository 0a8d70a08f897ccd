"""`maquette paint` without a server and with a quick stand-in method: outputs, refusals, Ctrl-C, resume."""

import contextlib
import errno
import json
import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from maquette_server.cli import local
from maquette_server.cli.app import app
from maquette_server.engine import folder
from typer.testing import CliRunner, Result

from tests.server import cli_stand_in
from tests.server.cli_stand_in import start, wait_for_step

QUAD = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 1\nf 1 2 3 4\nf 1 2 5\n"
OUTPUTS = {"texture.png", "mesh.glb", "preview.png", "report.json"}


@pytest.fixture
def quick(private_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in method is what `paint` runs; returns an OBJ file with a quad."""
    packages = tmp_path / "packages"
    cli_stand_in.install(packages, private_home / "data" / "maquette", monkeypatch)
    mesh = tmp_path / "quad.obj"
    mesh.write_text(QUAD, encoding="utf-8")
    return mesh


def test_a_job_leaves_its_files_and_no_private_folder(quick: Path, maquette, tmp_path: Path) -> None:
    done = maquette("paint", quick, "--prompt", "a red box", "--out", "out", "--seed", "7")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} == OUTPUTS | {"mesh.obj", "mesh.mtl"}
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["method"] == "latent_paint"
    assert report["seed"] == 7
    assert report["promise"] == "bit-equal"
    assert done.stdout.strip().splitlines()[-1].startswith("out: ")
    assert "The model does not know the word." in done.stderr
    assert "demonstration model" in done.stderr


def test_an_obj_comes_back_with_its_own_polygons(quick: Path, maquette, tmp_path: Path) -> None:
    assert maquette("paint", quick, "--prompt", "x", "--out", "out").returncode == 0
    lines = (tmp_path / "out" / "mesh.obj").read_text(encoding="utf-8").splitlines()
    assert [len(line.split()) - 1 for line in lines if line.startswith("f ")] == [4, 3]
    assert [line for line in lines if line.startswith("v ")] == QUAD.splitlines()[:5]


def test_json_lines_end_with_exactly_one_result(quick: Path, maquette) -> None:
    done = maquette("paint", quick, "--prompt", "x", "--out", "out", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["event"] for e in events].count("result") == 1
    assert events[-1]["event"] == "result"
    assert set(events[-1]["files"]) >= OUTPUTS
    progress = [e for e in events if e["event"] == "progress"]
    assert progress
    assert {"job", "step", "total", "stage", "seconds_left"} <= set(progress[0])
    assert progress[-1]["total"] == 5


@pytest.mark.parametrize(
    ("word", "status", "says"),
    [
        ("refuse", 2, "No UV map could be made. Unwrap it yourself."),
        ("bug", 1, "The log is"),
        ("crash", 1, "The log is"),
    ],
)
def test_a_job_that_fails_leaves_nothing_and_says_whose_fault_it_is(
    quick: Path, maquette, tmp_path: Path, word: str, status: int, says: str
) -> None:
    done = maquette("paint", quick, "--prompt", word, "--out", "deep/out", "--json")
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "deep" / "out").exists()
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["event"] for e in events if e["event"] in ("failed", "result")] == ["failed"]
    if status == 1:
        log = Path(done.stderr.strip().splitlines()[-1].split("The log is ")[1].rstrip("."))
        assert log.is_file()


def test_an_earlier_result_stays_when_a_job_fails(quick: Path, maquette, tmp_path: Path) -> None:
    assert maquette("paint", quick, "--prompt", "x", "--out", "out").returncode == 0
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert maquette("paint", quick, "--prompt", "refuse", "--out", "out").returncode == 2
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one child")
def test_ctrl_c_keeps_a_checkpoint_and_resume_finishes(quick: Path, maquette, tmp_path: Path) -> None:
    process = start("paint", quick, "--prompt", "x", "--out", "out", "--steps", "250", "--json", cwd=tmp_path)
    wait_for_step(process, 20)
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "maquette jobs resume out" in said
    assert "Traceback" not in said
    assert json.loads(rest.splitlines()[-1])["code"] == "job.interrupted"
    assert {p.name for p in (tmp_path / "out").iterdir()} == {".job"}

    again = maquette("paint", quick, "--prompt", "x", "--out", "out")
    assert again.returncode == 2
    assert "maquette jobs resume out" in again.stderr
    assert json.loads(maquette("jobs", "list", "out", "--json").stdout)["job"] == "out"

    done = maquette("jobs", "resume", "out", "--json")
    assert done.returncode == 0, done.stderr
    steps = [e["step"] for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "progress"]
    assert min(steps) >= 15
    assert {p.name for p in (tmp_path / "out").iterdir()} == OUTPUTS | {"mesh.obj", "mesh.mtl"}


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words), "--json"])


@contextlib.contextmanager
def interrupting(*places: str) -> Iterator[None]:
    """While it lasts, Ctrl-C comes whenever one of these functions is called."""
    with pytest.MonkeyPatch.context() as patch:
        for place in places:
            owner, name = place.rsplit(".", 1)
            real = getattr(pkgutil.resolve_name(owner), name)

            def disturbed(*arguments: Any, real: Callable[..., Any] = real, **options: Any) -> Any:
                signal.raise_signal(signal.SIGINT)
                return real(*arguments, **options)

            patch.setattr(place, disturbed)
        yield


@pytest.fixture
def here(quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As `quick`, for commands in this process."""
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.chdir(tmp_path)
    return quick


def test_ctrl_c_before_the_job_is_accepted_leaves_nothing(here: Path) -> None:
    with interrupting("maquette_server.engine.engine.JobEngine.submit"):
        assert invoke("paint", here, "--prompt", "x", "--out", "out").exit_code == 130
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "places",
    [
        ["maquette_server.cli.progress.Reporter.remark"],
        ["maquette_server.cli.progress.Reporter.body"],
        ["maquette_server.cli.results.write"],
        [
            "maquette_server.cli.progress.Reporter.body",
            "maquette_server.cli.progress.Reporter.pause",
            "maquette_server.engine.engine.JobEngine.close",
            "maquette_server.engine.executor.Executor.close",
        ],
    ],
    ids=["accepted", "running", "writing", "again and again"],
)
def test_ctrl_c_at_any_time_afterwards_keeps_the_job(here: Path, places: list[str]) -> None:
    with interrupting(*places):
        stopped = invoke("paint", here, "--prompt", "x", "--out", "out", "--steps", "20")
    assert stopped.exit_code == 130, stopped.output
    assert "maquette jobs resume out" in stopped.stderr
    assert {p.name for p in Path("out").iterdir()} == {".job"}
    resumed = invoke("jobs", "resume", "out")
    assert resumed.exit_code == 0, resumed.output
    assert {p.name for p in Path("out").iterdir()} >= OUTPUTS


def test_ctrl_c_at_the_end_of_a_job_that_is_done_loses_nothing(here: Path) -> None:
    with interrupting("maquette_server.engine.engine.JobEngine.close", "maquette_server.cli.local.remove"):
        done = invoke("paint", here, "--prompt", "x", "--out", "out")
    assert done.exit_code == 0, done.output
    assert {p.name for p in Path("out").iterdir()} == OUTPUTS | {"mesh.obj", "mesh.mtl"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_command_is_resumed_too(quick: Path, maquette, tmp_path: Path) -> None:
    process = start("paint", quick, "--prompt", "x", "--out", "out", "--steps", "250", "--json", cwd=tmp_path)
    wait_for_step(process, 30)
    process.kill()
    process.communicate(timeout=60)
    done = maquette("jobs", "resume", "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "texture.png").is_file()
    assert not (tmp_path / "out" / ".job").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one child")
def test_an_unfinished_job_can_be_given_up(quick: Path, maquette, tmp_path: Path) -> None:
    process = start("paint", quick, "--prompt", "x", "--out", "out", "--steps", "250", "--json", cwd=tmp_path)
    wait_for_step(process, 1)
    in_use = maquette("jobs", "delete", "out")
    assert in_use.returncode == 2
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert maquette("jobs", "delete", "out").returncode == 0
    assert not (tmp_path / "out").exists()
    assert maquette("jobs", "resume", "out").returncode == 2


def _full(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _read_only(*arguments: object, **options: object) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.mark.parametrize(
    ("place", "fails", "code"),
    [
        ("pathlib.Path.mkdir", _full, "disk.full"),
        ("maquette_server.cli.local.os.fsync", _full, "disk.full"),
        ("maquette_server.cli.local.msgspec.json.encode", _full, "disk.full"),
        ("maquette_server.engine.folder.Hold.tell", _full, "disk.full"),
        ("maquette_server.engine.journal.sqlite3.connect", _full, "disk.full"),
        ("maquette_server.engine.blobs.BlobStore.add", _full, "disk.full"),
        ("maquette_server.engine.journal.Journal.save", _full, "disk.full"),
        ("pathlib.Path.mkdir", _read_only, "output.unusable"),
        ("maquette_server.cli.local.os.fsync", _read_only, "output.unusable"),
    ],
)
def test_a_job_that_cannot_be_written_down_leaves_nothing(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, fails: object, code: str
) -> None:
    before = {path for path in tmp_path.rglob("*") if "home" not in path.parts}
    monkeypatch.setattr(place, fails)
    result = invoke("paint", here, "--prompt", "x", "--out", "deep/out")
    assert result.exit_code == 2, result.output
    last = json.loads(result.stdout.splitlines()[-1])
    assert last["code"] == code
    assert last["hint"]
    monkeypatch.undo()
    after = {path for path in tmp_path.rglob("*") if "home" not in path.parts}
    assert {path for path in after - before if "__pycache__" not in path.parts} == set()


@pytest.mark.parametrize("check", ["before the other's ticket", "after it"])
def test_a_second_command_in_the_same_folder_leaves_the_first_alone(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    first = start("paint", here, "--prompt", "x", "--out", "out", "--steps", "250", "--json", cwd=tmp_path)
    wait_for_step(first, 5)
    ticket = Path("out/.job/ticket.json").read_bytes()
    if check.startswith("before"):
        monkeypatch.setattr("maquette_server.cli.local.check", lambda out: None)
    second = invoke("paint", here, "--prompt", "y", "--out", "out")
    assert second.exit_code == 2
    assert json.loads(second.stdout.splitlines()[-1])["code"] == "output.unusable"
    assert Path("out/.job/ticket.json").read_bytes() == ticket
    rest, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert json.loads(rest.splitlines()[-1])["event"] == "result"


def test_a_folder_that_another_command_took_over_is_left_to_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`jobs resume OUT` may come between the ticket and the lock."""
    prepare = local._prepare
    others: list[folder.Hold] = []

    def overtaken(out: Path, *arguments: Any) -> None:
        prepare(out, *arguments)
        others.append(folder.Hold(out / ".job", ""))

    monkeypatch.setattr(local, "_prepare", overtaken)
    result = invoke("paint", here, "--prompt", "x", "--out", "out")
    assert json.loads(result.stdout.splitlines()[-1])["code"] == "data.in_use"
    assert Path("out/.job/ticket.json").exists()
    others[0].release()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused_and_left_alone(
    quick: Path, maquette, tmp_path: Path
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert maquette("paint", quick, "--prompt", "x", "--out", "locked/out").returncode == 2
    assert list((tmp_path / "locked").iterdir()) == []


def test_a_result_that_cannot_be_written_is_not_lost(quick: Path, maquette, tmp_path: Path) -> None:
    (tmp_path / "out" / "texture.png").mkdir(parents=True)
    done = maquette("paint", quick, "--prompt", "x", "--out", "out")
    assert done.returncode == 2, done.stderr
    assert "maquette jobs resume out" in done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"texture.png", ".job"}
    (tmp_path / "out" / "texture.png").rmdir()
    done = maquette("jobs", "resume", "out")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} >= OUTPUTS
