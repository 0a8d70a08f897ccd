"""The command line beside a server, with a quick stand-in: paint, detach, watch, kill, jobs, models."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server import cli_stand_in
from tests.server.cli_stand_in import wait_for_step

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
OUTPUTS = {"texture.png", "mesh.glb", "preview.png", "report.json", "mesh.obj", "mesh.mtl"}
Serve = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def serve(
    private_home: Path, tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Serve]:
    """Starts a server with the stand-in method at MAQUETTE_SERVER, and again after it has ended."""
    packages = tmp_path / "packages"
    cli_stand_in.install(packages, private_home / "data" / "maquette", monkeypatch)
    (tmp_path / "triangle.obj").write_text(TRIANGLE, encoding="utf-8")
    started: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        process = cli_stand_in.start("serve", "--listen", f"127.0.0.1:{free_port}", cwd=tmp_path)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(f"the server did not start: {process.communicate()[1]}")
        assert str(free_port) in line
        return process

    monkeypatch.setenv("MAQUETTE_SERVER", f"127.0.0.1:{free_port}")
    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_paint_sends_waits_and_fetches(serve: Serve, maquette, tmp_path: Path) -> None:
    serve()
    done = maquette("paint", "triangle.obj", "--prompt", "x", "--out", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == OUTPUTS
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["event"] == "result"
    assert "demonstration model" in done.stderr
    refused = maquette("paint", "triangle.obj", "--prompt", "refuse", "--out", "other", "--json")
    assert refused.returncode == 2
    assert "No UV map could be made. Unwrap it yourself." in refused.stderr
    assert not (tmp_path / "other").exists()
    unknown = maquette("paint", "triangle.obj", "--prompt", "x", "--out", "other", "--model", "nobody")
    assert unknown.returncode == 2
    assert "nobody" in unknown.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one child")
def test_ctrl_c_detaches_and_watch_fetches_the_result(serve: Serve, maquette, tmp_path: Path) -> None:
    serve()
    process = cli_stand_in.start(
        "paint", "triangle.obj", "--prompt", "x", "--out", "out", "--steps", "150", "--json", cwd=tmp_path
    )
    job = wait_for_step(process, 5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"maquette jobs watch {job} --server" in said
    assert not (tmp_path / "out").exists()
    told = maquette("jobs", "watch", job)
    assert f"{job}: done; fetch it with maquette jobs watch {job} --out FOLDER" in told.stdout
    done = maquette("jobs", "watch", job, "--out", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "texture.png").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_the_command_survives_a_killed_server_and_ends_with_0(serve: Serve, maquette, tmp_path: Path) -> None:
    server = serve()
    process = cli_stand_in.start(
        "paint", "triangle.obj", "--prompt", "x", "--out", "out", "--steps", "200", "--json", cwd=tmp_path
    )
    wait_for_step(process, 20)
    server.kill()
    server.wait()
    time.sleep(0.5)
    serve()
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert json.loads(out.splitlines()[-1])["event"] == "result"
    assert {p.name for p in (tmp_path / "out").iterdir()} == OUTPUTS
    jobs = [json.loads(line) for line in maquette("jobs", "list", "--json").stdout.splitlines()]
    assert [job["state"] for job in jobs] == ["succeeded"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one child")
def test_jobs_are_listed_stopped_shown_and_deleted(serve: Serve, maquette, tmp_path: Path) -> None:
    serve()
    process = cli_stand_in.start(
        "paint", "triangle.obj", "--prompt", "x", "--out", "out", "--steps", "2000", "--json", cwd=tmp_path
    )
    job = wait_for_step(process, 3)
    (row,) = [json.loads(line) for line in maquette("jobs", "list", "--json").stdout.splitlines()]
    assert row["job"] == job
    assert row["state"] == "running"
    assert row["label"] == "triangle.obj"
    assert maquette("jobs", "pause", job).returncode == 0
    assert maquette("jobs", "resume", job).returncode == 0
    assert maquette("jobs", "stop", job).returncode == 0
    out, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert json.loads(out.splitlines()[-1])["kept"] is True
    shown = json.loads(maquette("jobs", "show", job, "--json").stdout)
    assert shown["params"]["steps"] == 2000
    assert "texture.png" in shown["results"]
    again = maquette("jobs", "cancel", job)
    assert again.returncode == 2
    assert maquette("jobs", "delete", job).returncode == 0
    assert maquette("jobs", "list", "--json").stdout == ""
    gone = maquette("jobs", "show", job)
    assert gone.returncode == 2
    assert "Traceback" not in gone.stderr


def test_models_of_a_server_are_listed_and_checked(serve: Serve, maquette) -> None:
    serve()
    row, editor = [json.loads(line) for line in maquette("models", "list", "--json").stdout.splitlines()]
    assert editor["name"] == "pocket-edit"
    assert (row["name"], row["commercial"], row["default"]) == ("pocket", "yes", True)
    assert "commercial use" in maquette("models", "list").stdout.splitlines()[0]
    assert json.loads(maquette("models", "check", "pocket", "--json").stdout)["kind"] == "text_to_image"
    assert maquette("models", "check", "nobody").returncode == 2
    assert maquette("models", "release").returncode == 0


def test_a_port_or_a_folder_in_use_is_refused_and_stop_ends_the_server(
    serve: Serve, maquette, free_port: int, tmp_path: Path
) -> None:
    server = serve()
    same_port = maquette("serve", "--listen", f":{free_port}", "--data-dir", "elsewhere", timeout=60)
    assert same_port.returncode == 2
    assert f"maquette serve --stop --listen 127.0.0.1:{free_port}" in same_port.stderr
    same_folder = maquette("serve", "--listen", "127.0.0.1:0", timeout=60)
    assert same_folder.returncode == 2
    assert "Traceback" not in same_port.stderr + same_folder.stderr
    stopped = maquette("serve", "--stop", "--listen", f":{free_port}")
    assert stopped.returncode == 0, stopped.stderr
    assert server.wait(timeout=30) == 0
    nobody = maquette("serve", "--stop", "--listen", f":{free_port}")
    assert nobody.returncode == 2


def test_a_job_that_is_unknown_cannot_be_watched(serve: Serve, maquette) -> None:
    serve()
    done = maquette("jobs", "watch", "0123456789ab", timeout=60)
    assert done.returncode == 2
    assert "There is no job '0123456789ab'." in done.stderr
