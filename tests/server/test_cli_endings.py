"""Every way in which a command may end has its status and one line."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from maquette_server.cli import endings, outputs
from maquette_server.cli.app import app
from maquette_wire import __version__, messages
from maquette_wire.errors import UserError
from typer.testing import CliRunner


def command_that(error: BaseException) -> typer.Typer:
    made = typer.Typer()

    @made.command()
    @endings.ended
    def fail(as_json: bool = False) -> None:
        raise error

    return made


def fault(code: str) -> messages.Fault:
    return messages.Fault(code=code, sentence="It failed.", hint="Mend it.")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("prompt.empty", "No prompt.", hint="Give one."), 2, "No prompt. Give one."),
        (endings.JobFault(fault("mesh.unwrap"), "j"), 2, "It failed. Mend it."),
        (endings.JobFault(fault("job.failed"), "j", "/a/log"), 1, "It failed. Mend it. The log is /a/log."),
        (UserError("server.fault", "The server failed."), 1, "The server failed."),
        (endings.JobFault(fault("job.crashed"), "j"), 1, "It failed. Mend it."),
        (endings.Stopped("Stopped.", "maquette x"), 130, "Stopped. Go on with: maquette x"),
        (KeyboardInterrupt(), 130, "Stopped."),
        (OSError(errno.ENOSPC, "full", "/a"), 2, "The disk is full at '/a'. Make room, then do it again."),
    ],
)  # fmt: skip
def test_an_error_is_a_status_and_a_line(error: BaseException, status: int, line: str) -> None:
    result = CliRunner().invoke(command_that(error), ["--as-json"])
    assert result.exit_code == status
    assert result.stderr.strip() == line
    said = json.loads(result.stdout)
    assert said["event"] == "failed"
    assert f"{said['sentence']} {said['hint']}".strip() == line


FAULTS = [ValueError("a prompt"), OSError(errno.EIO, "broken"), ZeroDivisionError()]


@pytest.mark.parametrize("error", FAULTS)
def test_a_fault_of_ours_names_the_log_that_has_the_traceback(
    private_home: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    result = CliRunner().invoke(command_that(error))
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    log = Path(result.stderr.strip().split("The details are in ")[1].rstrip("."))
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert type(error).__name__ in log.read_text(encoding="utf-8")


def test_the_version_is_the_wires() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.strip() == f"maquette {__version__}"


@pytest.mark.parametrize(
    "verb", ["", "paint", "serve", "doctor", "jobs", "models", "jobs watch", "models fetch"]
)
def test_every_verb_explains_itself(verb: str) -> None:
    result = CliRunner().invoke(app, [*verb.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_a_reader_who_leaves_early_is_no_traceback() -> None:
    done = subprocess.run(
        f"{sys.executable} -m maquette_server.cli models list --json | true",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    program = (
        "import sys; import maquette_server.cli.app\n"
        "print(sorted({'torch', 'scipy', 'PIL', 'zmq', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_outputs_appear_whole_and_the_report_last(tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    copied.write_bytes(b"from a file")
    names = outputs.write(tmp_path / "a" / "b", {"x.png": b"bytes", "y.glb": copied}, {"method": "m"})
    assert names == ["x.png", "y.glb", "report.json"]
    out = tmp_path / "a" / "b"
    assert {p.name for p in out.iterdir()} == set(names)
    assert (out / "y.glb").read_bytes() == b"from a file"


def test_a_failing_write_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(FileNotFoundError):
        outputs.write(out, {"x.png": b"bytes", "y.glb": tmp_path / "gone"}, {})
    assert not out.exists()
    out.mkdir()
    (out / "x.png").write_bytes(b"old")
    with pytest.raises(FileNotFoundError):
        outputs.write(out, {"x.png": b"new", "y.glb": tmp_path / "gone"}, {})
    assert os.listdir(out) == ["x.png"]
    assert (out / "x.png").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["..", ".hidden", "../x", "/x", "a//b", "a/../x", "a/.b", "a\\b"])
def test_a_result_cannot_name_a_path_outside_or_hidden(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="file name"):
        outputs.write(tmp_path / "out", {name: b""}, {})
    assert not (tmp_path / "out").exists()
