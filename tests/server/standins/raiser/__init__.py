"""Raises what it is told to."""

from typing import Literal

from maquette_server.methods import base


class RaiserParams(base.Params):
    """`what` is raised."""

    what: Literal["user", "memory", "fault", "torch"]


METHOD = base.Method(
    name="raiser",
    params=RaiserParams,
    needs=frozenset(),
    optional=frozenset(),
    gives=frozenset({"figures"}),
)
