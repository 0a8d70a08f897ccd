"""A stand-in that is as long in loading its model as a checkpoint of many gigabytes on a slow disk."""

from maquette_server.methods import base


class Params(base.Params):
    """It has no settings."""


METHOD = base.Method(
    name="loader",
    params=Params,
    needs=frozenset(),
    optional=frozenset(),
    gives=frozenset({"texture"}),
    models=("text_to_image",),
)
