"""The whole line in real Blenders: the zip, a server process, the pocket model."""

from collections.abc import Callable

import pytest

pytestmark = pytest.mark.blender
SHORT = "painted_undone_saved"


def test_a_painting_is_applied_undone_saved_and_reloaded(served: Callable[..., None]) -> None:
    served("whole_line.py", SHORT)


@pytest.mark.slow
def test_what_is_stated_about_the_whole_line_holds(served: Callable[..., None]) -> None:
    served("whole_line.py", f"not {SHORT}")
