"""Depths of rendered views in real Blenders, without a server: what `inside/depths.py` states holds."""

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.blender


def test_what_is_stated_about_depths_holds(facts: Callable[..., None]) -> None:
    facts("depths.py")
