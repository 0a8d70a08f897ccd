"""Sculpting in real Blenders: the zip, a sketch of primitives, a server process.

The server's part takes longest by far and does not depend on Blender, so an object grows in one version; in
the other a sketch goes to the server and is refused. What Blender has to do with it is stated in
`inside/sketches.py` for each.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender
REFUSED = "plane_is_refused"


def test_what_is_stated_about_sketches_without_a_server_holds(facts: Callable[..., None]) -> None:
    facts("sketches.py")


def test_a_sketch_becomes_an_object_in_the_scene(
    facts: Callable[..., None], blender: Path, tmp_path: Path, private_home: Path, free_port: int
) -> None:
    command = Path(sys.executable).with_name("maquette.exe" if sys.platform == "win32" else "maquette")
    assert command.exists(), "the maquette command is not installed; run make setup"
    facts(
        "sculpting.py",
        MAQUETTE_TEST_ONLY="" if "5.0" in str(blender) else REFUSED,
        MAQUETTE_TEST_PORT=str(free_port),
        MAQUETTE_TEST_COMMAND=str(command),
        MAQUETTE_TEST_DATA_DIR=str(tmp_path / "data"),
    )
