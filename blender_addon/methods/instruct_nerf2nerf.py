"""Editing a scene in the panel: its settings, what is drawn of them, and the parameters they become."""

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from . import budget, choices, limits, own

NAME = "instruct_nerf2nerf"
PRESETS = {
    "joint": ("Together", "Views are edited together and agree on what is changed"),
    "classic": ("As Published", "One view after the other, as in the paper"),
}
OWN = {
    "use_guidance_scale": "guidance_scale",
    "use_image_guidance_scale": "image_guidance_scale",
    "use_views": "views",
    "use_size": "size",
}
"""switch -> number"""


class MAQUETTE_PG_instruct_nerf2nerf(budget.Budget, bpy.types.PropertyGroup):
    """Settings of editing, saved with the scene."""

    prompt: StringProperty(name="Instruction", **limits(NAME, "prompt"))
    preset: EnumProperty(
        name="Way",
        items=choices(NAME, "preset", PRESETS),
        default=limits(NAME, "preset")["default"],
        description=limits(NAME, "preset")["description"],
    )
    seconds: FloatProperty(name="Seconds", precision=0, **limits(NAME, "seconds", default=240.0))
    steps: IntProperty(name="Steps", **limits(NAME, "steps", default=2000))
    use_guidance_scale: BoolProperty(name="Own Guidance", description="Set it instead of the model's own")
    guidance_scale: FloatProperty(name="Guidance", **limits(NAME, "guidance_scale", default=7.5))
    use_image_guidance_scale: BoolProperty(
        name="Own Picture Guidance", description="Set it instead of the model's own"
    )
    image_guidance_scale: FloatProperty(
        name="Picture Guidance", **limits(NAME, "image_guidance_scale", default=1.5)
    )
    use_views: BoolProperty(name="Own Views", description="Set it instead of what the device has time for")
    views: IntProperty(name="Views", **limits(NAME, "views", default=24))
    use_size: BoolProperty(name="Own Size", description="Set it instead of the model's own")
    size: IntProperty(name="Size", subtype="PIXEL", **limits(NAME, "size", default=512))
    keep: BoolProperty(name="Keep the Rest", **limits(NAME, "keep", default=True))


def params(settings: MAQUETTE_PG_instruct_nerf2nerf) -> dict[str, Any]:
    """The mapping that the server reads; what is left to model or device is not in it."""
    found: dict[str, Any] = {
        "prompt": settings.prompt,
        "preset": settings.preset,
    }
    if settings.preset == "joint":
        found["keep"] = settings.keep
    return found | budget.params(settings) | own.values(settings, OWN)


def draw(layout: bpy.types.UILayout, settings: MAQUETTE_PG_instruct_nerf2nerf) -> None:
    """Instruction and budget."""
    layout.prop(settings, "prompt")
    budget.draw(layout, settings)


def draw_advanced(layout: bpy.types.UILayout, settings: MAQUETTE_PG_instruct_nerf2nerf) -> None:
    """All else."""
    layout.prop(settings, "preset")
    if settings.preset == "joint":
        layout.prop(settings, "keep")
    own.draw(layout, settings, OWN)
