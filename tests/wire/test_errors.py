"""A user error is a code, a sentence and a way out, and travels as a message only."""

import copy

import pytest
from maquette_wire.errors import UserError


def test_a_line_has_the_sentence_and_the_way_out() -> None:
    assert UserError("mesh.empty", "No faces.", hint="Add some.").line() == "No faces. Add some."
    assert UserError("mesh.empty", "No faces.").line() == "No faces."


def test_it_does_not_travel_as_a_pickle() -> None:
    error = UserError("mesh.empty", "No faces.")
    for way in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            way(error)
