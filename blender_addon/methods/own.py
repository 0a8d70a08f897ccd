"""Values that are set instead of what model, preset or device have: each has a switch.

`switches` are the names of values by those of their switches.
"""

from collections.abc import Mapping
from typing import Any

import bpy


def values(settings: bpy.types.PropertyGroup, switches: Mapping[str, str]) -> dict[str, Any]:
    """Those that are switched on, by name."""
    return {name: getattr(settings, name) for switch, name in switches.items() if getattr(settings, switch)}


def draw(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, switches: Mapping[str, str]) -> None:
    """A row each: the switch, and the value."""
    for switch, name in switches.items():
        row = layout.row(align=True, heading=settings.bl_rna.properties[name].name)
        row.prop(settings, switch, text="")
        value = row.row()
        value.enabled = getattr(settings, switch)
        value.prop(settings, name, text="")
