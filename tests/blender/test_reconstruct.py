"""Radiance fields in real Blenders: the zip, a server process, a short training.

The surface takes longest by far, and the server's part in it does not depend on Blender, so it is cut out in
one version; what Blender makes of it is stated in `inside/fields.py` for each.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender
SURFACE = "where_the_original_was"


def test_what_is_stated_about_fields_without_a_server_holds(facts: Callable[..., None]) -> None:
    facts("fields.py")


def test_a_field_is_learnt_and_comes_back(
    facts: Callable[..., None], blender: Path, tmp_path: Path, private_home: Path, free_port: int
) -> None:
    command = Path(sys.executable).with_name("maquette.exe" if sys.platform == "win32" else "maquette")
    assert command.exists(), "the maquette command is not installed; run make setup"
    facts(
        "reconstructing.py",
        MAQUETTE_TEST_ONLY="" if "5.0" in str(blender) else f"not {SURFACE}",
        MAQUETTE_TEST_PORT=str(free_port),
        MAQUETTE_TEST_COMMAND=str(command),
        MAQUETTE_TEST_DATA_DIR=str(tmp_path / "data"),
    )
