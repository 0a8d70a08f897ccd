"""A scene's folder from elsewhere as a scene of this server, to be looked at and edited like its own."""

from .. import base


class OpenParams(base.Params, frozen=True):
    """Nothing can be chosen."""


METHOD = base.Method(
    name="open_scene",
    params=OpenParams,
    needs=frozenset({"scene"}),
    optional=frozenset(),
    gives=frozenset({"scene"}),
)
