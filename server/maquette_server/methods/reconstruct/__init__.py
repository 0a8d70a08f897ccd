"""Reconstruction: photographs with known cameras become a radiance field that renders from anywhere."""

from typing import Annotated, Literal

from maquette_wire.errors import UserError
from msgspec import Meta

from .. import base


class ReconstructParams(base.Params, frozen=True):
    """What can be chosen. `steps` and `seconds` exclude each other; without either: the usual steps.

    `preset` is of mip-NeRF: `paper` as published, `fast` with a third of its arithmetic, `small` for a CPU;
    when nothing is said, `small` on a CPU and `paper` elsewhere.
    """

    field: Annotated[Literal["grid", "mip"], Meta(description="Fast grid, or mip-NeRF")] = "grid"
    preset: (
        Annotated[Literal["paper", "fast", "small"], Meta(description="mip-NeRF as published, or cheaper")]
        | None
    ) = None
    steps: Annotated[int, Meta(ge=1, le=2_000_000, description="Optimiser steps")] | None = None
    seconds: Annotated[float, Meta(ge=1, le=7 * 86400, description="Seconds of optimisation")] | None = None
    reduce: Annotated[int, Meta(ge=1, le=64, description="Divide the pictures' sides by this")] = 1
    bounds: Annotated[
        Literal["auto", "object", "unbounded", "forward"],
        Meta(description="An object in a box, a whole place, or what lies one way"),
    ] = "auto"
    appearance: Annotated[bool, Meta(description="Allow for pictures of different exposure")] = False

    def __post_init__(self) -> None:
        if self.steps is not None and self.seconds is not None:
            raise UserError(
                "params.bad", "Steps and seconds were both given.", hint="Give one of them, or neither."
            )
        if self.preset is not None and self.field != "mip":
            raise UserError(
                "params.bad", f"The preset {self.preset} is one of mip-NeRF.", hint="Add --field mip."
            )
        if self.bounds == "forward" and self.field != "mip":
            raise UserError(
                "params.bad",
                "The bounds forward are for mip-NeRF; a grid learns such captures without bounds.",
                hint="Add --field mip, or leave out --bounds.",
            )
        if self.appearance and self.field == "mip":
            raise UserError(
                "params.bad",
                "mip-NeRF does not allow for pictures of different exposure.",
                hint="Use --field grid, or leave out --appearance.",
            )


METHOD = base.Method(
    name="reconstruct",
    params=ReconstructParams,
    needs=frozenset({"cameras", "images"}),
    optional=frozenset({"depths"}),
    gives=frozenset({"scene", "images", "figures"}),
)
