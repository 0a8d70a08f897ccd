"""What is said beside the shipped weights is what the code says of them now."""

import json

import pytest
from maquette_server.pocket.checking.run import WEIGHTS
from maquette_server.pocket.learning import card, export, files

pytestmark = pytest.mark.parametrize("task", sorted(export.FOLDERS))


def test_the_notes_are_the_code_s(task):
    written = (WEIGHTS / export.FOLDERS[task] / "maquette.json").read_text(encoding="utf-8")
    assert json.loads(written) == card.notes(task)


def test_the_card_is_the_code_s(task):
    assert (WEIGHTS / export.FOLDERS[task] / "README.md").read_text(encoding="utf-8") == card.text(task)


def test_the_digests_are_of_the_weights_beside_them(task):
    folder = WEIGHTS / export.FOLDERS[task]
    written = json.loads((folder / "training.json").read_text(encoding="utf-8"))["sha256"]
    assert written == files.digests(folder)
