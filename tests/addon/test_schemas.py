"""The panel's defaults and ranges are the server's."""

import msgspec
import pytest
from maquette_server.methods import base, schemas

from blender_addon import methods


def test_the_committed_file_is_current() -> None:
    assert schemas.PATH.read_text(encoding="utf-8") == schemas.text(), "run: make schemas"


@pytest.mark.parametrize("name", sorted(base.discover()))
def test_every_default_and_limit_is_accepted_by_the_server(name: str) -> None:
    method = base.discover()[name]
    rows = methods.schema(name)
    required = {key: "x" for key, row in rows.items() if row.get("required")}
    defaults = {key: row["default"] for key, row in rows.items() if "default" in row}
    method.read_params(required | defaults)
    for key, row in rows.items():
        if row["type"] in {"int", "float"}:
            for limit in ("min", "max"):
                if limit in row:
                    method.read_params(required | {key: row[limit]})


def test_values_beyond_the_written_ranges_are_refused_by_the_server() -> None:
    method = base.discover()["latent_paint"]
    for key, row in methods.schema("latent_paint").items():
        if row["type"] in {"int", "float"} and "max" in row:
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert({"prompt": "x", key: row["max"] + 1}, method.params)


def test_labels_that_do_not_fit_the_choices_are_found() -> None:
    with pytest.raises(KeyError):
        methods.choices("latent_paint", "preset", {"draft": ("Draft", "")})
