"""Meets a full disk at a step, for as long as a file exists."""

from maquette_server.methods import base


class FullParams(base.Params):
    """`while_exists`: path of the file."""

    while_exists: str
    step: int = 3


METHOD = base.Method(
    name="full",
    params=FullParams,
    needs=frozenset(),
    optional=frozenset(),
    gives=frozenset({"figures"}),
)
