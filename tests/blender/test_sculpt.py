"""Sculpting in real Blenders: the zip, a sketch of primitives, and in one version a server process.

The server's part takes longest by far and does not depend on Blender; what Blender has to do with it is
stated in `inside/sketches.py` for each.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender


def test_what_is_stated_about_sketches_without_a_server_holds(facts: Callable[..., None]) -> None:
    facts("sketches.py")


def test_a_sketch_becomes_an_object_in_the_scene(
    facts: Callable[..., None], blender: Path, tmp_path: Path, private_home: Path, free_port: int
) -> None:
    if "5.0" not in str(blender):
        pytest.skip("the server's part is run in one version of Blender")
    command = Path(sys.executable).with_name("maquette.exe" if sys.platform == "win32" else "maquette")
    assert command.exists(), "the maquette command is not installed; run make setup"
    facts(
        "sculpting.py",
        MAQUETTE_TEST_PORT=str(free_port),
        MAQUETTE_TEST_COMMAND=str(command),
        MAQUETTE_TEST_DATA_DIR=str(tmp_path / "data"),
    )
