"""The page of error codes is the table in the code."""

from pathlib import Path

import pytest
from maquette_wire import error_table, errors

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_up_to_date() -> None:
    page = (DOCS / "errors.md").read_text(encoding="utf-8")
    assert page == error_table.markdown(), "run: python -m maquette_wire.error_table > docs/errors.md"


def test_the_codes_are_sorted_and_every_meaning_is_a_sentence() -> None:
    assert list(errors.CODES) == sorted(errors.CODES)
    for code, meaning in errors.CODES.items():
        assert meaning.endswith("."), code
        assert meaning[0].isupper(), code


def test_an_unknown_code_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="unknown error code"):
        errors.UserError("no.such", "No.")
