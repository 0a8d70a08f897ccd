"""The built zip in real Blenders: what `inside/*.py` states must hold in each version."""

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.blender


@pytest.mark.parametrize("name", ["registering", "collecting", "applying"])
def test_what_is_stated_holds_in_blender(facts: Callable[..., None], name: str) -> None:
    facts(f"{name}.py")
