"""Edit Scene in the panel: the instruction, the try, the versions of a field and the moments of an edit."""

import bpy

from . import captures, field_panel, method_panel, props, rows, thumbnails
from .methods import instruct_nerf2nerf

COLUMNS = 3  # edited views side by side
SMALL = 3.7  # side of their pictures, of an icon's usual one


def draw(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    live: props.MAQUETTE_PG_live,
    settings: props.MAQUETTE_PG_scene,
) -> None:
    """From top to bottom, in the order in which it is used."""
    empty = captures.chosen(context)
    field_panel.capture(layout, context, settings, empty)
    if empty is not None and not empty.get(captures.SCENE):
        rows.sentence(layout, "It has no radiance field yet: reconstruct it, and apply the result.", "INFO")
    method_panel.draw(layout, live, settings, instruct_nerf2nerf)
    line = layout.row(align=True)
    line.operator("maquette.edit_scene", text="Try on Three Views", icon="VIEWZOOM").trial = True
    if empty is not None and empty.get(captures.TRIAL) is not None:
        line.operator("maquette.trial_show", text="", icon="IMAGE_DATA")
    text = method_panel.quoted("Edit:", settings.instruct_nerf2nerf.prompt, "Edit Scene")
    method_panel.button(layout, "maquette.edit_scene", text, "SHADERFX").trial = False
    rows.running(layout, live)
    if empty is not None and empty.get(captures.SCENE):
        _versions(layout, empty)
        field_panel.field(layout, live)
        _views(layout, live, empty)


def _versions(layout: bpy.types.UILayout, empty: bpy.types.Object) -> None:
    """Every field that the capture has had, and the moments of the one that is shown."""
    found = captures.versions(empty)
    if len(found) > 1:
        box = layout.box()
        for one in found:
            row = box.row(align=True)
            icon = "RADIOBUT_ON" if one.job == empty[captures.SCENE] else "RADIOBUT_OFF"
            row.operator("maquette.version_choose", text=one.name, icon=icon, emboss=False).job = one.job
            row.operator("maquette.version_forget", text="", icon="X", emboss=False).job = one.job
    shown = captures.version(empty)
    if shown is None or len(shown.moments) < 2:
        return
    last = len(shown.moments) - 1
    line = layout.row(align=True)
    line.use_property_split = False
    line.prop(empty.maquette, "moment", text=f"Moment (0 to {last})")
    line.operator("maquette.before_after", text="", icon="ARROW_LEFTRIGHT")


def _views(layout: bpy.types.UILayout, live: props.MAQUETTE_PG_live, empty: bpy.types.Object) -> None:
    """What was edited, a few views at a time: each as it was, above what has become of it."""
    shown = captures.version(empty)
    if shown is None or not shown.moments:
        return
    things = captures.cameras(empty)
    found = [(thing, pair) for thing in things if (pair := captures.edited(thing)) is not None]
    if not found:
        layout.operator("maquette.edited_views", icon="IMAGE_DATA")
        rows.task(layout, live)
        return
    box = layout.box()
    box.use_property_split = False
    head = box.row()
    head.label(text=f"{len(found)} of {len(things)} views were edited", icon="RENDERLAYERS")
    head.operator("maquette.edited_views", text="", icon="FILE_REFRESH")  # their files may be gone
    top = box.row(align=True)
    edited = bool(empty.get(captures.SHOWS_EDITED))
    top.operator("maquette.pictures_choose", text="Photographs", depress=not edited).edited = False
    top.operator("maquette.pictures_choose", text="Edited", depress=edited).edited = True
    last = -(-len(found) // COLUMNS)
    at = min(live.page, last) - 1
    strip = box.row(align=True)
    for thing, (after, before) in found[at * COLUMNS : (at + 1) * COLUMNS]:
        column = strip.column(align=True)
        for path in (before, after):
            icon = thumbnails.icon_of_file(path) if path is not None else 0
            column.template_icon(icon_value=icon, scale=SMALL)
        column.operator("maquette.look_through", text=thing.name).camera = thing.name
    box.prop(live, "page", text=f"Page (1 to {last})")
    box.operator("maquette.capture_export", text="Export Edited...", icon="EXPORT").pictures = "EDITED"
    rows.task(layout, live)
