"""Pauses often in every stage, as an unwrapping, a bake and the writing of a large texture do."""

from typing import Annotated

from maquette_server.methods import base
from msgspec import Meta


class PauserParams(base.Params):
    """`pauses` in each stage."""

    pauses: Annotated[int, Meta(ge=1)] = 1000


METHOD = base.Method(
    name="pauser",
    params=PauserParams,
    needs=frozenset(),
    optional=frozenset(),
    gives=frozenset({"figures"}),
)
