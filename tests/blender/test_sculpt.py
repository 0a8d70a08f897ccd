"""Sculpting in real Blenders: the zip, a sketch of primitives, a server process.

The server's part takes longest by far and does not depend on Blender, so an object grows in one version; in
the other a sketch goes to the server and is refused. What Blender has to do with it is stated in
`inside/sketches.py` for each.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender
REFUSED = "plane_is_refused"


def test_what_is_stated_about_sketches_without_a_server_holds(facts: Callable[..., None]) -> None:
    facts("sketches.py")


def test_a_sketch_becomes_an_object_in_the_scene(served: Callable[..., None], blender: Path) -> None:
    served("sculpting.py", "" if "5.0" in blender.parts else REFUSED)
