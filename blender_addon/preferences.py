"""The extension's preferences: where the server is, and how a local one is started."""

import bpy
from bpy.props import EnumProperty, StringProperty


class MAQUETTE_AP_preferences(bpy.types.AddonPreferences):
    """Saved with Blender's preferences."""

    bl_idname = __package__

    address: StringProperty(
        name="Server",
        default="127.0.0.1:5577",
        description="Address of the Maquette server, HOST:PORT",
    )
    command: StringProperty(
        name="Command",
        subtype="FILE_PATH",
        description="The maquette program that starts a server on this computer; empty takes the one on PATH",
    )
    data_dir: StringProperty(
        name="Data Folder",
        subtype="DIR_PATH",
        description="Where a server started from here keeps its jobs; empty takes its own default",
    )
    preview_px: EnumProperty(
        name="Preview",
        items=[
            ("0", "Off", "Show the result only when it is applied"),
            ("512", "512 px", "Follow the painting on the object at 512 px"),
            ("1024", "1024 px", "Follow the painting on the object at 1024 px"),
        ],
        default="512",
        description="Size at which a running job is shown on its object",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """The four settings."""
        layout = self.layout
        layout.use_property_split = True
        for name in ("address", "command", "data_dir", "preview_px"):
            layout.prop(self, name)


def of(context: bpy.types.Context) -> MAQUETTE_AP_preferences:
    """The preferences of this extension, whatever its full name is."""
    return context.preferences.addons[__package__].preferences
