"""Reconstruction in the panel: its settings, what is drawn of them, and the parameters they become."""

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from . import budget, choices, limits, own

NAME = "reconstruct"
FIELDS = {
    "grid": ("Grid", "Fast: seconds to minutes"),
    "mip": ("mip-NeRF", "As published: slow, and even at every distance"),
}
BOUNDS = {
    "auto": ("Automatic", "A box when all pictures have transparency, a whole place otherwise"),
    "object": ("Object", "What is captured stands in a box"),
    "unbounded": ("Whole Place", "There is something in every direction, however far"),
    "forward": ("Ahead", "All pictures look the same way, and what lies ahead may be far; for mip-NeRF"),
}
PRESETS = {
    "small": ("Small", "For a CPU"),
    "fast": ("Fast", "A third of the arithmetic of the paper"),
    "paper": ("As Published", "The settings of the paper"),
}
OWN = {"use_preset": "preset"}
"""switch -> value"""


class MAQUETTE_PG_reconstruct(budget.Budget, bpy.types.PropertyGroup):
    """Settings of the reconstruction, saved with the scene."""

    field: EnumProperty(
        name="Field",
        items=choices(NAME, "field", FIELDS),
        default=limits(NAME, "field")["default"],
        description=limits(NAME, "field")["description"],
    )
    seconds: FloatProperty(name="Seconds", precision=0, **limits(NAME, "seconds", default=60.0))
    steps: IntProperty(name="Steps", **limits(NAME, "steps", default=2000))
    bounds: EnumProperty(
        name="Bounds",
        items=choices(NAME, "bounds", BOUNDS),
        default=limits(NAME, "bounds")["default"],
        description=limits(NAME, "bounds")["description"],
    )
    appearance: BoolProperty(name="Exposures Differ", **limits(NAME, "appearance"))
    reduce: IntProperty(name="Reduce", **limits(NAME, "reduce"))
    use_preset: BoolProperty(name="Own Preset", description="Set it instead of what suits the device")
    preset: EnumProperty(
        name="Preset",
        items=choices(NAME, "preset", PRESETS),
        default="small",
        description=limits(NAME, "preset")["description"],
    )


def params(settings: MAQUETTE_PG_reconstruct) -> dict[str, Any]:
    """The mapping that the server reads; what is left to field or device is not in it."""
    found: dict[str, Any] = {
        "field": settings.field,
        "bounds": settings.bounds,
        "reduce": settings.reduce,
    }
    if settings.field == "grid":
        found["appearance"] = settings.appearance
    else:
        found |= own.values(settings, OWN)
    return found | budget.params(settings)


def draw(layout: bpy.types.UILayout, settings: MAQUETTE_PG_reconstruct) -> None:
    """Field, budget, bounds."""
    layout.row().prop(settings, "field", expand=True)
    budget.draw(layout, settings)
    layout.prop(settings, "bounds")
    if settings.bounds == "forward" and settings.field == "grid":
        layout.label(text="Ahead needs mip-NeRF", icon="ERROR")
    if settings.field == "grid":
        layout.prop(settings, "appearance")


def draw_advanced(layout: bpy.types.UILayout, settings: MAQUETTE_PG_reconstruct) -> None:
    """All else."""
    layout.prop(settings, "reduce")
    if settings.field == "mip":
        own.draw(layout, settings, OWN)
