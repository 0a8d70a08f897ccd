"""Sculpt in the panel: the sketch, how closely each of its solids is kept to, the prompt, the button."""

import bpy

from . import method_panel, props, rows, solids
from .methods import latent_nerf

SOLIDS = {
    "SPHERE": "MESH_UVSPHERE",
    "BOX": "MESH_CUBE",
    "CYLINDER": "MESH_CYLINDER",
    "CONE": "MESH_CONE",
    "TORUS": "MESH_TORUS",
}


def draw(layout: bpy.types.UILayout, live: props.MAQUETTE_PG_live, settings: props.MAQUETTE_PG_scene) -> None:
    """Sketch, settings, button."""
    _sketch(layout, settings)
    layout.prop(settings, "front")
    method_panel.draw(layout, live, settings, latent_nerf)
    text = method_panel.quoted("Sculpt", settings.latent_nerf.prompt, "Sculpt")
    method_panel.button(layout, "maquette.sculpt", text, "SCULPTMODE_HLT")


def _sketch(layout: bpy.types.UILayout, settings: props.MAQUETTE_PG_scene) -> None:
    layout.prop(settings, "sketch")
    row = layout.row(align=True)
    for kind, icon in SOLIDS.items():
        row.operator("maquette.sketch_add", text="", icon=icon).kind = kind
    if settings.sketch is None:
        rows.sentence(layout, "No sketch: the prompt alone says the shape.", "INFO")
        return
    if not any(solids.counts(thing) for thing in settings.sketch.all_objects):
        rows.sentence(layout, "The sketch is empty: add a few solids.", "INFO")
        return
    layout.prop(settings.latent_nerf, "softness")
    layout.template_list(
        MAQUETTE_UL_solids.__name__, "", settings.sketch, "all_objects", settings, "solid", rows=3, maxrows=5
    )


class MAQUETTE_UL_solids(bpy.types.UIList):
    """The solids of a sketch; those that are hidden do not count and are not listed."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.AnyType | None,
        item: bpy.types.AnyType | None,
        icon: int | None,
        active_data: bpy.types.AnyType | None,
        active_property: str | None,
    ) -> None:
        """Name, strength and lock of one."""
        row = layout.row(align=True)
        row.label(text=item.name)
        row.prop(item.maquette, "strength", text="", slider=True)
        row.prop(item.maquette, "lock", text="", icon="LOCKED" if item.maquette.lock else "UNLOCKED")

    def filter_items(
        self, context: bpy.types.Context, data: bpy.types.AnyType, property: str
    ) -> tuple[list[int], list[int]]:
        """Shows what is neither hidden nor lacks the letters that are looked for."""
        things = getattr(data, property)
        flags = [
            self.bitflag_filter_item
            if solids.counts(thing) and self.filter_name.lower() in thing.name.lower()
            else 0
            for thing in things
        ]
        return flags, []
