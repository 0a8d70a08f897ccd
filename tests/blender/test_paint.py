"""The whole line in real Blenders: the zip, a server process, the pocket model."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender
SHORT = "painted_undone_saved"


@pytest.fixture
def line(
    facts: Callable[..., None], tmp_path: Path, private_home: Path, free_port: int
) -> Callable[[str], None]:
    """Runs those facts of the whole line that an expression chooses."""
    command = Path(sys.executable).with_name("maquette.exe" if sys.platform == "win32" else "maquette")
    assert command.exists(), "the maquette command is not installed; run make setup"

    def run(only: str) -> None:
        facts(
            "whole_line.py",
            MAQUETTE_TEST_ONLY=only,
            MAQUETTE_TEST_PORT=str(free_port),
            MAQUETTE_TEST_COMMAND=str(command),
            MAQUETTE_TEST_DATA_DIR=str(tmp_path / "data"),
        )

    return run


def test_a_painting_is_applied_undone_saved_and_reloaded(line: Callable[[str], None]) -> None:
    line(SHORT)


@pytest.mark.slow
def test_what_is_stated_about_the_whole_line_holds(line: Callable[[str], None]) -> None:
    line(f"not {SHORT}")
