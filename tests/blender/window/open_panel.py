"""Runs inside a Blender with a window: opens the sidebar tab, paints, applies, undoes; says when to look.

Environment: MAQUETTE_SHOT_LOG (file that gets the word ready), MAQUETTE_SHOT_ADDRESS (a server, or nothing).
"""

import logging
import os
from pathlib import Path

import bpy

LOG = Path(os.environ["MAQUETTE_SHOT_LOG"])
SEEN = 170  # steps of the second job, of 200, so that its preview has colours
MODULE = "bl_ext.user_default.maquette"
bpy.context.preferences.view.show_splash = False


def area_and_region():
    screen = bpy.context.window_manager.windows[0].screen
    area = max((a for a in screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height)
    return area, next(region for region in area.regions if region.type == "UI")


def begin() -> float:
    window = bpy.context.window_manager.windows[0]
    area, _ = area_and_region()
    area.spaces.active.show_region_ui = True
    area.spaces.active.shading.type = "MATERIAL"
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    drawn = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=drawn):
        bpy.ops.mesh.primitive_monkey_add()
        bpy.ops.object.shade_smooth()
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
        bpy.ops.view3d.view_orbit(angle=0.6, type="ORBITLEFT")  # so that the arrow is seen from the side
    area.spaces.active.region_3d.view_location.x = 0.45  # out from under the sidebar
    area.spaces.active.region_3d.view_distance *= 1.25
    return 0.8


def tab() -> float:
    area, region = area_and_region()
    region.active_panel_category = "Maquette"
    area.tag_redraw()
    return 0.8


def rows():
    return bpy.context.window_manager.maquette.jobs


def paint() -> float | None:
    """Sends a job when there is a server; without one the panel is shown as it is."""
    address = os.environ.get("MAQUETTE_SHOT_ADDRESS")
    bpy.context.scene.maquette.latent_paint.prompt = "a golden dragon"
    if not address:
        story.clear()
        return say_ready()
    bpy.context.preferences.addons[MODULE].preferences.address = address
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.maquette.paint()
    return 0.5


def apply() -> float:
    """Once there is a result: applies it, undoes it, applies it again, and paints anew."""
    if not rows() or not rows()[0].has_result:
        story.insert(0, apply)
        return 0.2
    thing = bpy.context.view_layer.objects.active
    area, _ = area_and_region()
    region = next(region for region in area.regions if region.type == "WINDOW")
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.ed.undo_push(message="the scene, which a timer made")
        bpy.ops.maquette.result_apply("EXEC_DEFAULT", True)  # True: as a button, with its undo step
        assert thing.material_slots
        bpy.ops.ed.undo()
        thing = bpy.data.objects["Suzanne"]
        assert not thing.material_slots, "one undo takes the painting back"
        bpy.context.view_layer.objects.active = thing
        bpy.ops.maquette.result_apply("EXEC_DEFAULT", True)
        bpy.context.scene.maquette.latent_paint.prompt = "a green dragon"
        bpy.ops.maquette.paint()
    return 0.5


def wait_for_progress() -> float | None:
    if rows()[0].stage != "paint" or rows()[0].step < SEEN:
        story.insert(0, wait_for_progress)
        return 0.1
    return say_ready()


def say_ready() -> None:
    LOG.write_text("ready", encoding="utf-8")


story = [begin, tab, paint, apply, wait_for_progress]


def turn() -> float | None:
    try:
        return story.pop(0)() if story else None
    except Exception:  # whatever it is, the session outside must not wait for its whole time
        logging.exception("the panel could not be shown")
        LOG.write_text("failed", encoding="utf-8")
        return None


bpy.app.timers.register(turn, first_interval=1.5)
