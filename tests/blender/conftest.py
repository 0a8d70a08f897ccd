"""Starts real Blenders: the bpy modules of `.venv-blender/<version>`, in throw-away profiles."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).parent / "inside"
VERSIONS = ("4.2", "5.0")
LIMIT = 900.0  # s for one child; what hangs is ended


@pytest.fixture(params=VERSIONS)
def blender(request: pytest.FixtureRequest) -> Path:
    """The Python of one Blender version."""
    folder = ROOT / ".venv-blender" / request.param
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        sentence = f"Blender {request.param} is not in {folder}; run make setup"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return python


@pytest.fixture(scope="session")
def addon_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension as it is installed."""
    spec = importlib.util.spec_from_file_location("build_addon", ROOT / "build_addon.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    sys.modules["build_addon"] = build
    spec.loader.exec_module(build)
    path = tmp_path_factory.mktemp("zip") / "maquette.zip"
    assert build.main(["--output", str(path)]) == 0
    return path


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(blender: Path, addon_zip: Path, tmp_path: Path) -> Start:
    """`start("collecting.py", NAME="value")` begins a file of facts inside Blender; see `output.txt`."""

    def begin(facts: str, **environment: str) -> "subprocess.Popen[str]":
        profile = tmp_path / "profile"
        profile.mkdir(exist_ok=True)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
        with (tmp_path / "output.txt").open("w", encoding="utf-8") as output:
            return subprocess.Popen(
                [str(blender), str(INSIDE / "stage.py"), str(addon_zip), str(INSIDE / facts)],
                cwd=tmp_path,
                env={**inherited, "BLENDER_USER_RESOURCES": str(profile), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )

    return begin


@pytest.fixture
def facts(start: Start, tmp_path: Path) -> Callable[..., None]:
    """Runs a file of facts to its end and fails with its output."""

    def run(name: str, **environment: str) -> None:
        process = start(name, **environment)
        try:
            status = process.wait(LIMIT)
        finally:
            process.kill()
            process.wait()
        output = (tmp_path / "output.txt").read_text(encoding="utf-8")
        assert status == 0, output[-8000:]

    return run


@pytest.fixture
def served(
    facts: Callable[..., None], tmp_path: Path, private_home: Path, free_port: int
) -> Callable[..., None]:
    """`served("painting.py", "undone or saved")` runs those facts with a server of their own."""
    command = Path(sys.executable).with_name("maquette.exe" if sys.platform == "win32" else "maquette")
    assert command.exists(), "the maquette command is not installed; run make setup"

    def run(name: str, only: str = "") -> None:
        facts(
            name,
            MAQUETTE_TEST_ONLY=only,
            MAQUETTE_TEST_PORT=str(free_port),
            MAQUETTE_TEST_COMMAND=str(command),
            MAQUETTE_TEST_DATA_DIR=str(tmp_path / "data"),
        )

    return run
