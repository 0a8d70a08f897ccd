"""Ends its own process at a step: always, or only once."""

from maquette_server.methods import base


class CrasherParams(base.Params):
    """Crashes before `step`; with a path in `once` only while nothing is there, and leaves a file there."""

    step: int = 3
    once: str = ""


METHOD = base.Method(
    name="crasher",
    params=CrasherParams,
    needs=frozenset(),
    optional=frozenset(),
    gives=frozenset({"figures"}),
)
