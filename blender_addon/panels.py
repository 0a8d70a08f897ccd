"""The sidebar tab: connection, mode, what it needs, button, what is running, results; captures.

Nothing here needs the bundled libraries, so that their absence can be told.
"""

import bpy

from . import (
    captures,
    edit_panel,
    field_panel,
    front_arrow,
    method_panel,
    model_menu,
    props,
    rows,
    sculpt_panel,
    thumbnails,
)
from .methods import latent_paint

TAB = front_arrow.TAB
ICONS = {"READY": "LINKED", "OFF": "UNLINKED", "LOST": "ERROR", "REFUSED": "ERROR"}
STATES = {"succeeded": "CHECKMARK", "failed": "ERROR", "cancelled": "X"}
CAMERA_SETS = {"RING": "Ring", "DOME": "Dome", "VIEW": "From View"}

missing_library = ""
"""what could not be loaded; set by the registration"""


class MAQUETTE_PT_missing(bpy.types.Panel):
    """Says that the extension's own libraries are missing."""

    bl_label = "Maquette"
    bl_category = TAB
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"

    def draw(self, context: bpy.types.Context) -> None:
        """The sentence and the way out."""
        column = self.layout.column()
        column.alert = True
        rows.sentence(
            column, f"The library {missing_library} of this extension could not be loaded.", "ERROR"
        )
        rows.sentence(
            self.layout, "Install the zip for this Blender and this system again, then restart Blender."
        )


class _Panel:
    """Where all panels are."""

    bl_category = TAB
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"


class MAQUETTE_PT_main(_Panel, bpy.types.Panel):
    """Connection, mode, settings, button, progress, error."""

    bl_label = "Maquette"

    def draw(self, context: bpy.types.Context) -> None:
        """From top to bottom, in the order in which it is used."""
        live, settings = props.live(context), context.scene.maquette
        layout = self.layout
        _connection(layout, live)
        _error(layout, live)
        _modes(layout, settings)
        layout.use_property_split = True
        layout.use_property_decorate = False
        if settings.mode == "PAINT":
            front_arrow.show()
            _paint(layout, context, live, settings)
        elif settings.mode == "SCULPT":
            front_arrow.show()
            sculpt_panel.draw(layout, live, settings)
        elif settings.mode == "EDIT":
            edit_panel.draw(layout, context, live, settings)
        else:
            field_panel.draw(layout, context, live, settings)
        if settings.mode != "EDIT":
            rows.running(layout, live)


class MAQUETTE_PT_results(_Panel, bpy.types.Panel):
    """Finished jobs."""

    bl_label = "Results"
    bl_parent_id = "MAQUETTE_PT_main"

    def draw(self, context: bpy.types.Context) -> None:
        """One box a job: apply it, or read why it failed."""
        layout, live = self.layout, props.live(context)
        done = [row for row in live.jobs if row.state in rows.FINAL]
        if not done:
            rows.sentence(layout, "Results appear here. Nothing of yours is overwritten.")
        for row in done:
            box = layout.box()
            top = box.split(factor=0.7)
            top.label(text=f"{row.label}: {row.prompt}", icon=STATES[row.state])
            icon = thumbnails.icon_of(row.request_id)
            if icon and row.has_result:
                box.template_icon(icon_value=icon, scale=rows.THUMBNAIL)
            if row.has_result:
                top.operator("maquette.result_apply", text="Apply").request_id = row.request_id
            if row.sentence:
                rows.sentence(box, row.sentence)
            if row.hint:
                rows.sentence(box, row.hint, "INFO")
            for warning in filter(None, row.warnings.split("\n")):
                rows.sentence(box, warning, "INFO")
        if context.scene.maquette.mode == "PAINT":
            layout.operator("maquette.result_restore", icon="LOOP_BACK")


class MAQUETTE_PT_captures(_Panel, bpy.types.Panel):
    """Pictures with cameras: in, round an object, out. Needs no server."""

    bl_label = "Captures"
    bl_parent_id = "MAQUETTE_PT_main"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender's own way of saying it

    def draw(self, context: bpy.types.Context) -> None:
        """Import, camera sets, the capture that is chosen, export."""
        layout, live = self.layout, props.live(context)
        row = layout.row(align=True)
        row.operator("maquette.capture_import", text="Import...", icon="IMPORT")
        row.operator("maquette.scene_open", text="Open Scene...", icon="FILE_FOLDER")
        row = layout.row(align=True)
        for kind, text in CAMERA_SETS.items():
            row.operator("maquette.cameras_add", text=text).kind = kind
        empty = captures.of(context.object)
        if empty is not None:
            box = layout.box()
            count = len(captures.cameras(empty))
            box.label(text=f"{empty.name}: {count} camera{'' if count == 1 else 's'}", icon="EMPTY_DATA")
            for note in filter(None, str(empty.get(captures.NOTES, "")).split("\n")):
                rows.sentence(box, note, "INFO")
        elif not context.selected_objects:
            rows.sentence(layout, "Select an object to put cameras round it, or import a capture.")
        rendered = empty is not None and captures.folder(empty) is None
        text = "Render Views..." if rendered else "Export..."
        layout.operator("maquette.capture_export", text=text, icon="EXPORT")
        rows.task(layout, live)


def _connection(layout: bpy.types.UILayout, live: props.MAQUETTE_PG_live) -> None:
    row = layout.row(align=True)
    named = live.bl_rna.properties["connection"].enum_items[live.connection].name
    text = f"{named}: {live.device}" if live.device else named
    row.label(text=text, icon=ICONS.get(live.connection, "SORTTIME"))
    if live.connection in {"OFF", "REFUSED", "CONNECTING"}:
        row.operator("maquette.connect", text="Connect")
        row.operator("maquette.server_start", text="Start Server")
    elif live.connection == "READY":
        row.operator("maquette.disconnect", text="", icon="UNLINKED")
        row.operator("maquette.server_stop", text="", icon="QUIT")
    else:
        row.operator("maquette.disconnect", text="", icon="X")


def _error(layout: bpy.types.UILayout, live: props.MAQUETTE_PG_live) -> None:
    if not live.error:
        return
    box = layout.box()
    red = box.column()
    red.alert = True
    rows.sentence(red, live.error, "ERROR")
    if live.hint:
        rows.sentence(box, live.hint)
    if live.fix == "server_start" and live.connection != "READY":
        box.operator("maquette.server_start")
    if live.fix in {"preferences", "address"}:
        box.operator("preferences.addon_show", text="Open Preferences").module = __package__


def _target(
    layout: bpy.types.UILayout, context: bpy.types.Context, settings: props.MAQUETTE_PG_scene
) -> None:
    thing = context.object
    if thing is None or thing.type != "MESH":
        layout.label(text="Select a mesh to paint", icon="INFO")
        return
    layout.label(text=thing.name, icon="MESH_DATA")
    layout.prop(settings, "front")
    layout.prop(settings, "mask_mode")
    if settings.mask_mode == "VERTEX_GROUP":
        layout.prop_search(settings, "vertex_group", thing, "vertex_groups")
    if settings.mask_mode != "NONE":
        layout.prop(settings.latent_paint, "feather")
    if not thing.data.uv_layers and settings.mask_mode == "NONE":
        rows.sentence(layout, "It has no UV map; Maquette makes its own.", "INFO")


def _modes(layout: bpy.types.UILayout, settings: props.MAQUETTE_PG_scene) -> None:
    """In two rows: their names are too long for one."""
    column = layout.column(align=True)
    for pair in (("PAINT", "SCULPT"), ("RECONSTRUCT", "EDIT")):
        row = column.row(align=True)
        for mode in pair:
            row.prop_enum(settings, "mode", mode)


def _paint(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    live: props.MAQUETTE_PG_live,
    settings: props.MAQUETTE_PG_scene,
) -> None:
    """Target, settings, button."""
    _target(layout, context, settings)
    method_panel.draw(layout, live, settings, latent_paint)
    text = method_panel.quoted("Paint", settings.latent_paint.prompt, "Paint")
    method_panel.button(layout, "maquette.paint", text, "BRUSH_DATA")


def register() -> None:
    """Adds the panels."""
    bpy.utils.register_class(model_menu.MAQUETTE_MT_models)
    bpy.utils.register_class(sculpt_panel.MAQUETTE_UL_solids)
    bpy.utils.register_class(MAQUETTE_PT_main)
    bpy.utils.register_class(MAQUETTE_PT_results)
    bpy.utils.register_class(MAQUETTE_PT_captures)


def unregister() -> None:
    """Removes the panels."""
    bpy.utils.unregister_class(MAQUETTE_PT_captures)
    bpy.utils.unregister_class(MAQUETTE_PT_results)
    bpy.utils.unregister_class(MAQUETTE_PT_main)
    bpy.utils.unregister_class(sculpt_panel.MAQUETTE_UL_solids)
    bpy.utils.unregister_class(model_menu.MAQUETTE_MT_models)
