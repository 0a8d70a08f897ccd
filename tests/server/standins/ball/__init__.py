"""Gives the scene of a solid ball that is known in closed form: green so far, red in the end."""

from typing import Annotated

from maquette_server.methods import base
from msgspec import Meta

CENTRE, RADIUS, HALF = (30.0, -20.0, 10.0), 10.0, 12.0  # of the ball; half the box's side
CELLS = 128  # of the box along an axis


class BallParams(base.Params):
    """`seconds` a step."""

    steps: Annotated[int, Meta(ge=1)] = 1
    seconds: Annotated[float, Meta(ge=0)] = 0.0


METHOD = base.Method(
    name="ball",
    params=BallParams,
    needs=frozenset(),
    optional=frozenset(),
    gives=frozenset({"scene"}),
)
