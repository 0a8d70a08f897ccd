"""The buttons of the connection, and of the server on this computer."""

import bpy

from .. import local_server, preferences, props, pump
from ..wire import errors
from .told import DONE, Answer, reports


class MAQUETTE_OT_connect(bpy.types.Operator):
    """Speak to the server of the preferences"""

    bl_idname = "maquette.connect"
    bl_label = "Connect"

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Returns at once; the panel shows what came of it."""
        connect(context)
        return DONE


class MAQUETTE_OT_disconnect(bpy.types.Operator):
    """Stop speaking to the server; its jobs go on there"""

    bl_idname = "maquette.disconnect"
    bl_label = "Disconnect"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a connection."""
        if props.live(context).connection == "OFF":
            cls.poll_message_set("There is no connection.")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Answer:
        """Closes the socket."""
        pump.running().close()
        pump.tick()
        return DONE


class MAQUETTE_OT_server_start(bpy.types.Operator):
    """Start a server on this computer; it goes on when Blender is closed"""

    bl_idname = "maquette.server_start"
    bl_label = "Start Server"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while one answers."""
        if props.live(context).connection in {"READY", "STARTING"}:
            cls.poll_message_set("A server answers already, or is coming up.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Returns at once; the panel shows when it answers."""
        chosen = preferences.of(context)
        address = local_server.read_address(chosen.address)
        command = local_server.find_command(bpy.path.abspath(chosen.command))
        started = local_server.start(command, address, bpy.path.abspath(chosen.data_dir))
        pump.running().connect(address, started)
        pump.tick()
        return DONE


class MAQUETTE_OT_server_stop(bpy.types.Operator):
    """End the server on this computer; its jobs go on when it is started again"""

    bl_idname = "maquette.server_stop"
    bl_label = "Stop Server"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only a server that answers and is on this computer."""
        address = pump.running().address
        if props.live(context).connection != "READY" or address is None or not address.loopback:
            cls.poll_message_set("No server on this computer answers.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Ends the process that left its id beside the token of this connection."""
        address = pump.running().address
        assert address is not None
        local_server.stop(address.port)
        pump.running().close()
        pump.tick()
        return DONE


def connect(context: bpy.types.Context) -> None:
    """Begins to speak to the server of the preferences. Raises UserError `address.bad`, `offline`,
    `address.no_keys`.
    """
    address = local_server.read_address(preferences.of(context).address)
    if not address.loopback and not bpy.app.online_access:
        raise errors.UserError(
            "offline",
            f"Blender's online access is off, and {address.host} is another computer.",
            hint="Allow it in Preferences > System > Network, or use a server on this computer.",
            fix="online",
        )
    if not address.loopback:
        raise errors.UserError(
            "address.no_keys",
            f"{address.host} is another computer, and this version speaks to servers on this computer only.",
            hint="Set the address to 127.0.0.1:5577.",
            fix="address",
        )
    pump.running().connect(address)
    pump.tick()


CLASSES = (
    MAQUETTE_OT_connect,
    MAQUETTE_OT_disconnect,
    MAQUETTE_OT_server_start,
    MAQUETTE_OT_server_stop,
)
