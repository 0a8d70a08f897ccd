"""Radiance fields in real Blenders: the zip, a server process, a short training.

The server's part takes longest by far and does not depend on Blender, so the surface is made in one version,
and the edits are in the other when there is time; what Blender makes of them is stated for each in
`inside/fields.py`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender
OLDEST = "4.2"
SHORT = "comes_back or sequence or live"
SURFACE = "where_the_original_was"


def test_what_is_stated_about_fields_without_a_server_holds(facts: Callable[..., None]) -> None:
    facts("fields.py")


def test_a_field_is_learnt_edited_and_comes_back(served: Callable[..., None], blender: Path) -> None:
    served("reconstructing.py", SHORT if OLDEST in blender.parts else "")


@pytest.mark.slow
@pytest.mark.parametrize("blender", [OLDEST], indirect=True)
def test_edits_that_were_left_out_of_a_version_hold_in_it(served: Callable[..., None], blender: Path) -> None:
    served("reconstructing.py", f"not ({SHORT} or {SURFACE})")
