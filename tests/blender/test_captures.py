"""Captures in real Blenders, without a server: what `inside/capturing.py` states holds in each version."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender


def test_what_is_stated_about_captures_holds(facts: Callable[..., None], data: Path) -> None:
    facts("capturing.py", MAQUETTE_TEST_DATA=str(data))
