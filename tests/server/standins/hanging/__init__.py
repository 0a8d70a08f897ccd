"""Reaches some steps, with a snapshot if wished, and then never yields again."""

from maquette_server.methods import base


class HangingParams(base.Params):
    """`steps` are reached; `snapshots` says whether there is something to keep."""

    steps: int = 1
    snapshots: bool = False


METHOD = base.Method(
    name="hanging",
    params=HangingParams,
    needs=frozenset(),
    optional=frozenset(),
    gives=frozenset({"texture"}),
)
