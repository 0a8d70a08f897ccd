"""What painting and sculpting share in the panel: quality, and numbers set instead of the model's."""

from typing import Any

import bpy

PRESETS = {
    "draft": ("Draft", "A first look"),
    "standard": ("Standard", "What most objects need"),
    "fine": ("Fine", "More steps, for the last version"),
    "parity": ("As Published", "The settings of the paper's released code"),
}
OWN = {"use_steps": "steps", "use_guidance_scale": "guidance_scale"}
"""switch -> number"""


def own_numbers(settings: bpy.types.PropertyGroup) -> dict[str, Any]:
    """The numbers that are set, by name."""
    return {name: getattr(settings, name) for switch, name in OWN.items() if getattr(settings, switch)}


def draw_own_numbers(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """A row each: the switch, and the number."""
    for switch, name in OWN.items():
        row = layout.row(align=True, heading=settings.bl_rna.properties[name].name)
        row.prop(settings, switch, text="")
        value = row.row()
        value.enabled = getattr(settings, switch)
        value.prop(settings, name, text="")
