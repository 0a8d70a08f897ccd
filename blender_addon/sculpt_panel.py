"""Sculpt in the panel: the sketch, how closely each of its solids is kept to, the prompt, the button."""

import bpy

from . import props, rows
from .methods import latent_nerf

SOLIDS = {
    "SPHERE": "MESH_UVSPHERE",
    "BOX": "MESH_CUBE",
    "CYLINDER": "MESH_CYLINDER",
    "CONE": "MESH_CONE",
    "TORUS": "MESH_TORUS",
}
SHOWN = 12  # solids of a sketch that are listed


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, settings: props.MAQUETTE_PG_scene) -> None:
    """The sketch and the settings; model, seed and button are the panel's own."""
    _sketch(layout, settings)
    layout.prop(settings, "front")
    latent_nerf.draw(layout, settings.latent_nerf)


def _sketch(layout: bpy.types.UILayout, settings: props.MAQUETTE_PG_scene) -> None:
    layout.prop(settings, "sketch")
    row = layout.row(align=True)
    for kind, icon in SOLIDS.items():
        row.operator("maquette.sketch_add", text="", icon=icon).kind = kind
    if settings.sketch is None:
        rows.sentence(layout, "No sketch: the prompt alone says the shape.", "INFO")
        return
    things = [thing for thing in settings.sketch.all_objects if not thing.hide_viewport]
    if not things:
        rows.sentence(layout, "The sketch is empty: add a few solids.", "INFO")
        return
    layout.prop(settings.latent_nerf, "softness")
    column = layout.column(align=True)
    column.use_property_split = False
    for thing in things[:SHOWN]:
        line = column.row(align=True)
        line.label(text=thing.name)
        line.prop(thing.maquette, "strength", text="", slider=True)
        icon = "LOCKED" if thing.maquette.lock else "UNLOCKED"
        line.prop(thing.maquette, "lock", text="", icon=icon)
    if len(things) > SHOWN:
        column.label(text=f"and {len(things) - SHOWN} more")
