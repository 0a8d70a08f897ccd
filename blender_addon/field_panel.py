"""Reconstruct in the panel: which capture, how it is learnt, and what can be done with its field."""

import bpy

from . import captures, method_panel, props, rows
from .methods import reconstruct


def draw(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    live: props.MAQUETTE_PG_live,
    settings: props.MAQUETTE_PG_scene,
) -> None:
    """From top to bottom, in the order in which it is used."""
    empty = captures.chosen(context)
    capture(layout, context, settings, empty)
    if empty is not None and captures.folder(empty) is None:
        rows.sentence(layout, "Blender renders the pictures.", "RENDER_STILL")
    method_panel.draw(layout, live, settings, reconstruct)
    text = f"Reconstruct “{empty.name}”" if empty is not None else "Reconstruct"
    method_panel.button(layout, "maquette.reconstruct", text, "OUTLINER_OB_VOLUME")
    if empty is not None and (empty.get(captures.SCENE) or live.live):
        field(layout, live)
    elif empty is not None and any(_is_learnt(row) for row in live.jobs):
        _live(layout, live)


def _is_learnt(row: props.MAQUETTE_PG_job) -> bool:
    return row.method == "reconstruct" and (row.has_result or row.stage == "learn")


def capture(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    settings: props.MAQUETTE_PG_scene,
    empty: bpy.types.Object | None,
) -> None:
    """The active object's capture, or one to choose."""
    if captures.of(context.object) is None:
        layout.prop(settings, "capture")
    if empty is None:
        rows.sentence(layout, "Import a capture, or put cameras round an object, under Captures.", "INFO")
        return
    cameras = captures.cameras(empty)
    layout.label(text=f"{empty.name}: {len(cameras)} cameras", icon="EMPTY_DATA")


def field(layout: bpy.types.UILayout, live: props.MAQUETTE_PG_live) -> None:
    """What can be done with a field."""
    _live(layout, live)
    row = layout.row(align=True)
    row.operator("maquette.render_views", text="Render Views...", icon="RENDER_RESULT")
    row.operator("maquette.extract_mesh", text="Extract Mesh...", icon="MESH_DATA")


def _live(layout: bpy.types.UILayout, live: props.MAQUETTE_PG_live) -> None:
    icon = "PAUSE" if live.live else "PLAY"
    layout.operator("maquette.live_render", text="Live Render", icon=icon, depress=live.live)
    if live.live and live.live_says:
        rows.sentence(layout, live.live_says, "INFO")
