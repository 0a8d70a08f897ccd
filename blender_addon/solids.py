"""Which objects of a sketch count."""

import bpy

KINDS = frozenset({"MESH", "CURVE", "SURFACE", "FONT", "META"})


def counts(thing: bpy.types.Object) -> bool:
    """Whether it can have faces, and is hidden neither in viewports nor with the eye."""
    return thing.type in KINDS and not thing.hide_viewport and not thing.hide_get()
