"""Latent-Paint in the panel: its settings, what is drawn of them, and the parameters they become."""

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from . import choices, guided, limits, own

NAME = "latent_paint"
GUIDANCE = {
    "sds": ("Score Distillation", "The usual form"),
    "csd": ("Classifier Only", "Crisper, sometimes over-coloured"),
}


class MAQUETTE_PG_latent_paint(bpy.types.PropertyGroup):
    """Settings of the paint method, saved with the scene."""

    prompt: StringProperty(name="Prompt", **limits(NAME, "prompt"))
    negative: StringProperty(name="Negative", **limits(NAME, "negative"))
    preset: EnumProperty(
        name="Quality",
        items=choices(NAME, "preset", guided.PRESETS),
        default=limits(NAME, "preset")["default"],
        description=limits(NAME, "preset")["description"],
    )
    texture_size: IntProperty(name="Texture", subtype="PIXEL", **limits(NAME, "texture_size"))
    use_steps: BoolProperty(name="Own Steps", description="Set the number of steps instead of the preset's")
    steps: IntProperty(name="Steps", **limits(NAME, "steps", default=300))
    use_guidance_scale: BoolProperty(
        name="Own Guidance Scale", description="Set it instead of the model's own"
    )
    guidance_scale: FloatProperty(name="Guidance Scale", **limits(NAME, "guidance_scale", default=100.0))
    guidance: EnumProperty(
        name="Guidance",
        items=choices(NAME, "guidance", GUIDANCE),
        default=limits(NAME, "guidance")["default"],
        description=limits(NAME, "guidance")["description"],
    )
    view_words: BoolProperty(name="View Words", **limits(NAME, "view_words"))
    feather: IntProperty(name="Feather", subtype="PIXEL", **limits(NAME, "feather"))


def params(settings: MAQUETTE_PG_latent_paint) -> dict[str, Any]:
    """The mapping that the server reads; what is left to preset or model is not in it."""
    found: dict[str, Any] = {
        "prompt": settings.prompt,
        "negative": settings.negative,
        "preset": settings.preset,
        "texture_size": settings.texture_size,
        "guidance": settings.guidance,
        "view_words": settings.view_words,
        "feather": settings.feather,
    }
    return found | own.values(settings, guided.OWN)


def draw(layout: bpy.types.UILayout, settings: MAQUETTE_PG_latent_paint) -> None:
    """Prompt and quality."""
    layout.prop(settings, "prompt")
    layout.prop(settings, "negative")
    layout.prop(settings, "preset")


def draw_advanced(layout: bpy.types.UILayout, settings: MAQUETTE_PG_latent_paint) -> None:
    """All else."""
    layout.prop(settings, "texture_size")
    own.draw(layout, settings, guided.OWN)
    layout.prop(settings, "guidance")
    layout.prop(settings, "view_words")
