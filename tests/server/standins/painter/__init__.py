"""Gives a mesh a texture of one colour at once."""

from maquette_server.methods import base


class PainterParams(base.Params):
    """`colour` as sRGB bytes."""

    colour: tuple[int, int, int] = (255, 0, 0)


METHOD = base.Method(
    name="painter",
    params=PainterParams,
    needs=frozenset({"mesh"}),
    optional=frozenset(),
    gives=frozenset({"texture"}),
)
