"""Runs inside a Blender with a window: opens the sidebar tab, paints from a prompt, and says when it can be looked at.

Environment: MAQUETTE_SHOT_LOG (file that gets the word ready), MAQUETTE_SHOT_ADDRESS (a server, or nothing).
"""

import os
import sys
import traceback
from pathlib import Path

import bpy

LOG = Path(os.environ["MAQUETTE_SHOT_LOG"])
MODULE = "bl_ext.user_default.maquette"
bpy.context.preferences.view.show_splash = False
STEPS = iter(range(10_000))


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
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.mesh.primitive_monkey_add()
        bpy.ops.object.shade_smooth()
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
    return 0.8


def tab() -> float:
    area, region = area_and_region()
    region.active_panel_category = "Maquette"
    area.tag_redraw()
    return 0.8


def paint() -> float:
    settings = bpy.context.scene.maquette
    settings.latent_paint.prompt = "a golden dragon"
    address = os.environ.get("MAQUETTE_SHOT_ADDRESS")
    if address:
        bpy.context.preferences.addons[MODULE].preferences.address = address
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
            bpy.ops.maquette.paint()
    return 0.5


def wait_for_progress() -> float | None:
    rows = bpy.context.window_manager.maquette.jobs
    enough = [row for row in rows if row.step >= 40 and row.stage == "paint"]
    if os.environ.get("MAQUETTE_SHOT_ADDRESS") and not enough and next(STEPS) < 600:
        return 0.2
    LOG.write_text("ready", encoding="utf-8")
    return None


story = [begin, tab, paint]


def turn() -> float | None:
    try:
        return story.pop(0)() if story else wait_for_progress()
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        LOG.write_text("failed", encoding="utf-8")
        return None


bpy.app.timers.register(turn, first_interval=1.5)
