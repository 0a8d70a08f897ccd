"""How long a field is learnt or edited: the choice, and the number that goes with it."""

from typing import Any

import bpy
from bpy.props import EnumProperty

USUAL = "USUAL"
ITEMS = [
    (USUAL, "Usual", "As long as it usually takes on the server's device"),
    ("SECONDS", "Time", "Learn for that many seconds"),
    ("STEPS", "Steps", "Take that many steps: the same steps give the same field"),
]


class Budget:
    """Part of the settings of a method, beside its own `seconds` and `steps`."""

    budget: EnumProperty(name="Budget", items=ITEMS, default=USUAL, description="How long the field learns")


def params(settings: Any) -> dict[str, Any]:
    """The number that was chosen, by its name on the server; nothing for the usual one."""
    name = settings.budget.lower()
    return {} if settings.budget == USUAL else {name: getattr(settings, name)}


def draw(layout: bpy.types.UILayout, settings: Any) -> None:
    """The choice, and its number."""
    layout.row().prop(settings, "budget", expand=True)
    if settings.budget != USUAL:
        layout.prop(settings, settings.budget.lower())
