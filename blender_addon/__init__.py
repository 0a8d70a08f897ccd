"""The Maquette extension: paint meshes with words, on a server of your own; captures in and out.

`register` and `unregister` are all that Blender calls; modules that need `bpy` are imported inside them only,
so that the others can be imported and tested in plain Python.
"""

LIBRARIES = ("msgspec", "zmq")


def register() -> None:
    """Adds everything; without the bundled libraries only a panel that says so."""
    import bpy

    from . import panels, preferences, props

    try:
        from . import operators, pump
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        if library not in LIBRARIES:
            raise
        panels.missing_library = library
        bpy.utils.register_class(panels.MAQUETTE_PT_missing)
        return
    bpy.utils.register_class(preferences.MAQUETTE_AP_preferences)
    props.register()
    operators.register()
    panels.register()
    pump.register()


def unregister() -> None:
    """Removes what `register` added; jobs go on on the server."""
    import bpy

    from . import panels, preferences, props

    if panels.missing_library:
        bpy.utils.unregister_class(panels.MAQUETTE_PT_missing)
        panels.missing_library = ""
        return
    from . import operators, pump

    pump.unregister()
    panels.unregister()
    operators.unregister()
    props.unregister()
    bpy.utils.unregister_class(preferences.MAQUETTE_AP_preferences)
