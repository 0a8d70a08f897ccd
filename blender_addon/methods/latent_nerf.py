"""Sculpting in the panel: its settings, what is drawn of them, and the parameters they become."""

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from . import choices, guided, limits, own

NAME = "latent_nerf"
USUAL = ("USUAL", "Usual", "Draft on a CPU, standard on a GPU")


class MAQUETTE_PG_latent_nerf(bpy.types.PropertyGroup):
    """Settings of sculpting, saved with the scene."""

    prompt: StringProperty(name="Prompt", **limits(NAME, "prompt"))
    negative: StringProperty(name="Negative", **limits(NAME, "negative"))
    preset: EnumProperty(
        name="Quality",
        items=[USUAL, *choices(NAME, "preset", guided.PRESETS)],
        default="USUAL",
        description=limits(NAME, "preset")["description"],
    )
    softness: FloatProperty(name="Softness", **limits(NAME, "softness"))
    refine: BoolProperty(name="Refine Colours", **limits(NAME, "refine"))
    texture_size: IntProperty(name="Texture", subtype="PIXEL", **limits(NAME, "texture_size"))
    faces: IntProperty(name="Faces", **limits(NAME, "faces"))
    use_steps: BoolProperty(name="Own Steps", description="Set the number of steps instead of the preset's")
    steps: IntProperty(name="Steps", **limits(NAME, "steps", default=300))
    use_guidance_scale: BoolProperty(
        name="Own Guidance Scale", description="Set it instead of the model's own"
    )
    guidance_scale: FloatProperty(name="Guidance Scale", **limits(NAME, "guidance_scale", default=100.0))
    view_words: BoolProperty(name="View Words", **limits(NAME, "view_words"))


def params(settings: MAQUETTE_PG_latent_nerf) -> dict[str, Any]:
    """The mapping that the server reads; what is left to preset, model or device is not in it."""
    found: dict[str, Any] = {
        "prompt": settings.prompt,
        "negative": settings.negative,
        "softness": settings.softness,
        "refine": settings.refine,
        "texture_size": settings.texture_size,
        "faces": settings.faces,
        "view_words": settings.view_words,
    }
    if settings.preset != "USUAL":
        found["preset"] = settings.preset
    return found | own.values(settings, guided.OWN)


def draw(layout: bpy.types.UILayout, settings: MAQUETTE_PG_latent_nerf) -> None:
    """Prompt and quality."""
    layout.prop(settings, "prompt")
    layout.prop(settings, "negative")
    layout.prop(settings, "preset")
    layout.prop(settings, "refine")


def draw_advanced(layout: bpy.types.UILayout, settings: MAQUETTE_PG_latent_nerf) -> None:
    """All else."""
    layout.prop(settings, "texture_size")
    layout.prop(settings, "faces")
    own.draw(layout, settings, guided.OWN)
    layout.prop(settings, "view_words")
