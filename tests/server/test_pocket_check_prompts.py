"""Facts about the check's fixed list."""

from pathlib import Path

import maquette_server.pocket.drawing
import pytest
from maquette_server.pocket.checking import edits, painted, prompts
from maquette_server.pocket.drawing import grades, words
from maquette_server.pocket.drawing.shapes import FAMILIES

DRAWING = Path(maquette_server.pocket.drawing.__file__).parent


def test_twelve_colours_by_eight_nouns():
    assert len(prompts.colours()) == 12 * 8
    assert {prompt.target for prompt in prompts.colours()} == set(words.COLOURS)


def test_eight_materials_by_eight_nouns():
    assert len(prompts.materials()) == 8 * 8
    assert {prompt.target for prompt in prompts.materials()} == set(words.MATERIALS)


def test_three_patterns_in_named_colours():
    assert {prompt.target for prompt in prompts.patterns()} == set(words.PATTERNS)
    assert all(set(prompt.pair) <= set(words.COLOURS) for prompt in prompts.patterns())


def test_four_seeds():
    assert len(set(prompts.seeds())) == 4


@pytest.mark.parametrize("noun", prompts.unseen())
def test_unseen_nouns_occur_nowhere_in_the_training(noun):
    for file in DRAWING.glob("*.py"):
        assert noun not in file.read_text(encoding="utf-8").lower()


def test_two_nouns_are_unseen_and_the_rest_have_shapes():
    assert len(prompts.unseen()) == 2
    assert set(prompts.families()) <= {family.name for family in FAMILIES}
    assert len(prompts.families()) == 6


@pytest.mark.parametrize("part", [painted.COLOURS, painted.MATERIALS, painted.PATTERNS])
def test_no_prompt_is_asked_twice(part):
    asked = painted.keys(part)
    assert len(set(asked)) == len(asked)


def test_vowels_have_their_article():
    assert "an orange ball" in painted.keys(painted.COLOURS)
    assert "a red accordion" in painted.keys(painted.COLOURS)


def test_every_kind_of_edit_is_asked_and_none_that_is_so_already():
    asked = edits.asked()
    assert len({case.key for case in asked}) == len(asked)
    assert {case.instruction.kind for case in asked} == {
        "colour",
        "material",
        "pattern",
        "grade",
        "background",
    }
    assert {i.target for i in prompts.instructions() if i.kind == "grade"} == set(grades.GRADES)
    assert not [
        c
        for c in asked
        if c.instruction.kind in ("colour", "material") and c.scene.look == c.instruction.target
    ]


def test_scenes_are_of_known_shapes_and_looks_and_some_are_cluttered():
    scenes = prompts.scenes()
    assert {scene.family for scene in scenes} <= {family.name for family in FAMILIES}
    assert {scene.look for scene in scenes} <= {*words.COLOURS, *words.MATERIALS}
    assert any(scene.clutter for scene in scenes)
