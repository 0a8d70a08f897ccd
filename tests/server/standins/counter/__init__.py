"""Adds random numbers up, with numpy or torch, slowly if asked to; its result depends on every single
step.
"""

from typing import Annotated, Literal

from maquette_server.methods import base
from msgspec import Meta


class CounterParams(base.Params):
    """`seconds` a step, `preview` side in pixels (0: no snapshots), `size` bytes of each snapshot."""

    steps: Annotated[int, Meta(ge=1)] = 10
    seconds: Annotated[float, Meta(ge=0)] = 0.0
    framework: Literal["numpy", "torch"] = "numpy"
    preview: int = 0
    size: int = 100
    label: str = ""


METHOD = base.Method(
    name="counter",
    params=CounterParams,
    needs=frozenset(),
    optional=frozenset({"texture", "mesh"}),
    gives=frozenset({"texture"}),
)
