"""An arrow in the 3D view that points where the front of the active mesh looks.

The handler that draws it is there only while a 3D view shows the sidebar tab Maquette: the panel adds it when
it is drawn, `pump.tick` takes it away. Blender without a window has none.
"""

from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from . import axes

TAB = "Maquette"
COLOUR = (1.0, 0.6, 0.15, 0.9)
WIDTH = 3.0  # px
LENGTH = 0.5  # of the longest side of the object's box
GAP = 0.06

_handler: Any = None


def show() -> None:
    """Adds the handler, unless it is there or nothing can be drawn."""
    global _handler
    if _handler is None and not bpy.app.background:
        _handler = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def hide() -> None:
    """Removes the handler."""
    global _handler
    if _handler is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handler, "WINDOW")
        _handler = None
        for area in _views():
            area.tag_redraw()


def hide_when_unseen() -> None:
    """Removes the handler when no 3D view shows the tab any longer."""
    if _handler is not None and not any(_shows_tab(area) for area in _views()):
        hide()


def lines(corners: NDArray[np.float64], front: axes.Vector) -> NDArray[np.float32]:
    """Ends of the arrow's lines [N, 2, 3]: a shaft in front of the box, and the edges of a pyramid.

    corners: [8, 3], the object's box in world coordinates.
    """
    ahead = np.array(front)
    side = np.array([0.0, 0.0, 1.0])
    across = np.cross(ahead, side)
    centre = corners.mean(axis=0)
    size = float(np.ptp(corners, axis=0).max()) or 1.0
    start = centre + ahead * (float(((corners - centre) @ ahead).max()) + GAP * size)
    tip = start + ahead * LENGTH * size
    neck = tip - ahead * 0.3 * LENGTH * size
    offsets = ((side, across), (across, -side), (-side, -across), (-across, side))
    ring = [(neck + 0.06 * size * a, neck + 0.06 * size * b) for a, b in offsets]
    found = [(start, tip), *ring, *((corner, tip) for corner, _ in ring)]
    return np.array(found, np.float32)


def _draw() -> None:
    context = bpy.context
    thing = context.object
    if thing is None or thing.type != "MESH" or not _shows_tab(context.area):
        return
    import gpu
    import gpu_extras.batch

    box = np.array([tuple(thing.matrix_world @ corner) for corner in _box(thing)])
    ends = lines(box, axes.FRONTS[context.scene.maquette.front]).reshape(-1, 3)
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.uniform_float("viewportSize", (context.region.width, context.region.height))
    shader.uniform_float("lineWidth", WIDTH)
    shader.uniform_float("color", COLOUR)
    gpu.state.blend_set("ALPHA")
    gpu_extras.batch.batch_for_shader(shader, "LINES", {"pos": ends.tolist()}).draw(shader)
    gpu.state.blend_set("NONE")


def _box(thing: bpy.types.Object) -> Iterator[Any]:
    import mathutils

    return (mathutils.Vector(corner) for corner in thing.bound_box)


def _views() -> Iterator[bpy.types.Area]:
    for window in bpy.context.window_manager.windows:
        yield from (area for area in window.screen.areas if area.type == "VIEW_3D")


def _shows_tab(area: bpy.types.Area) -> bool:
    sidebar = next((region for region in area.regions if region.type == "UI"), None)
    opened = sidebar is not None and area.spaces.active.show_region_ui
    return bool(opened and sidebar.active_panel_category == TAB)
