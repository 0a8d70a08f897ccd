"""The buttons: connect, paint, sculpt, wait, apply, restore, cancel, stop, captures, fields, the server here.

None waits, except `maquette.wait`, which is for scripts. What goes wrong is reported in a sentence and kept
on the panel's error line; a script gets it as RuntimeError.
"""

import bpy

from . import captures, editing, opening, painting, reconstructing, results, sculpting, server

CLASSES = (
    *server.CLASSES,
    *painting.CLASSES,
    *sculpting.CLASSES,
    *results.CLASSES,
    *captures.CLASSES,
    *opening.CLASSES,
    *reconstructing.CLASSES,
    *editing.CLASSES,
)


def register() -> None:
    """Adds the operators."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    """Removes the operators."""
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
