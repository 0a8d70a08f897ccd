"""`maquette edit` from the command line: files, moments, trials, refusals, and going on after Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import ball_captures
import pytest
import scene_jobs
from maquette_server.cli.app import app
from typer.testing import CliRunner

WORDS = ("--prompt", "make it blue", "--views", "3", "--calls", "3")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ball")
    ball_captures.write(place / "data", 8)
    made = scene_jobs.finish("reconstruct", scene_jobs.reconstruct(place / "data", place / "store", steps=60))
    return scene_jobs.write(made, place / "scene")


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: object) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.stderr


def test_an_edit_leaves_a_scene_whose_moments_render(scene: Path, tmp_path: Path, private_home: Path) -> None:
    out = tmp_path / "blue"
    run("edit", scene, *WORDS, "--steps", 8, "--out", out)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["models"] == {"instruct_edit": "pocket-edit"}
    assert report["promise"] == "bit-equal"
    assert report["figures"]["edited_views"] == 3
    assert len(list((out / "edited").iterdir())) == 3
    assert not (out / ".job").exists()
    moments = report["figures"]["moments"]
    assert sorted(int(folder.name) for folder in (out / "moments").iterdir()) == moments
    for moment in (0, moments[1]):
        pictures = tmp_path / f"renders-{moment}"
        run("render", out, "--moment", moment, "--cameras", "test", "--out", pictures)
        told = json.loads((pictures / "report.json").read_text(encoding="utf-8"))
        assert told["figures"]["scene_step"] == moment
    pictures = tmp_path / "before"
    run("render", scene, "--cameras", "test", "--out", pictures)
    first = (tmp_path / "renders-0" / "00000.png").read_bytes()
    assert first == (pictures / "00000.png").read_bytes()
    assert "has no moment 999" in refused(
        "render", out, "--moment", 999, "--cameras", "test", "--out", tmp_path / "x"
    )
    assert "a trial would replace" in refused("edit", scene, *WORDS, "--try", "--out", out, "--overwrite")
    assert "--overwrite" in refused("edit", scene, *WORDS, "--steps", 8, "--out", out)


def test_a_trial_leaves_one_sheet(scene: Path, tmp_path: Path, private_home: Path) -> None:
    run("edit", scene, *WORDS, "--try", "--out", tmp_path / "tried")
    assert {path.name for path in (tmp_path / "tried").iterdir()} == {"try.png", "report.json"}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no signals there")
def test_an_edit_that_was_interrupted_goes_on_to_the_same_scene(
    scene: Path, tmp_path: Path, private_home: Path
) -> None:
    words = ("edit", scene, *WORDS, "--steps", 30)
    run(*words, "--out", tmp_path / "whole")
    out = tmp_path / "halves"
    command = [sys.executable, "-m", "maquette_server.cli", *map(str, words), "--out", str(out), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdout is not None
    for line in process.stdout:
        told = json.loads(line)
        if told["event"] == "progress" and told["stage"] == "edit" and told["step"] >= 5:
            process.send_signal(signal.SIGINT)
            break
    process.stdout.read()
    process.stdout.close()
    assert process.wait(60) == 130
    run("jobs", "resume", out)
    for path in (tmp_path / "whole").rglob("*"):
        if path.is_file() and path.name != "report.json":
            assert path.read_bytes() == (out / path.relative_to(tmp_path / "whole")).read_bytes(), path
