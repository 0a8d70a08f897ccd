"""How alike the front and the back of an object are."""

import numpy as np
import pytest
from maquette_server.metrics import likeness

WHOLE = np.ones((32, 32), bool)


def face(seed: int) -> np.ndarray:
    """A side with something on it, [32, 32, 3]."""
    return np.random.default_rng(seed).random((8, 8, 1)).repeat(4, 0).repeat(4, 1).repeat(3, 2)


def test_the_same_face_on_both_sides_is_alike_whichever_way_it_is_turned() -> None:
    front = face(0)
    assert likeness.front_back(front, front, WHOLE, WHOLE) == pytest.approx(1.0)
    assert likeness.front_back(front, front[:, ::-1], WHOLE, WHOLE) == pytest.approx(1.0)
    assert likeness.front_back(front, 0.5 * front + 0.2, WHOLE, WHOLE) == pytest.approx(1.0)


def test_different_sides_are_not_alike() -> None:
    found = likeness.front_back(face(0), face(1), WHOLE, WHOLE)
    assert found is not None
    assert found < 0.5


def test_plain_sides_say_nothing() -> None:
    plain = np.full((32, 32, 3), 0.4)
    assert likeness.front_back(plain, face(0), WHOLE, WHOLE) is None
    assert likeness.front_back(face(0), plain, WHOLE, WHOLE) is None


def test_only_what_both_sides_show_counts() -> None:
    front, back = face(0), face(0)
    back[:, :8] = 1 - back[:, :8]
    seen = WHOLE.copy()
    seen[:, :8] = False
    assert likeness.front_back(front, back, WHOLE, seen) == pytest.approx(1.0)
    assert likeness.front_back(front, back, WHOLE, ~WHOLE) is None
