"""Runs inside a Blender with a window: builds a sketch of a toy dog, sculpts it, takes the object into the
scene.

Pictures of the window on the way: sketch, growing, sculpted. Environment: MAQUETTE_SHOT_LOG (a file that gets
the word ready; the pictures lie beside it), MAQUETTE_SHOT_ADDRESS (a server).
"""

import logging
import math
import os
import subprocess
from pathlib import Path

import bpy
from mathutils import Euler

LOG = Path(os.environ["MAQUETTE_SHOT_LOG"])
SEEN = 150  # steps
MODULE = "bl_ext.user_default.maquette"
# kind, place, size
DOG = [
    ("CYLINDER", (0, 0, 1.0), (0.55, 0.55, 0.9)),
    ("SPHERE", (0, -1.1, 1.75), (0.55, 0.55, 0.5)),
    ("BOX", (0, -1.65, 1.6), (0.22, 0.3, 0.2)),
    *(("CYLINDER", (x, y, 0.2), (0.17, 0.17, 0.5)) for x in (-0.33, 0.33) for y in (-0.6, 0.6)),
    *(("CONE", (x, -1.05, 2.25), (0.2, 0.2, 0.25)) for x in (-0.3, 0.3)),
    ("CONE", (0, 1.05, 1.5), (0.15, 0.15, 0.5)),
]
bpy.context.preferences.view.show_splash = False


def area_and_region(kind="UI"):
    screen = bpy.context.window_manager.windows[0].screen
    area = max((a for a in screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height)
    return area, next(region for region in area.regions if region.type == kind)


def build() -> None:
    """The dog, by the buttons of the panel; it looks along -y."""
    scene = bpy.context.scene
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    for kind, place, size in DOG:
        scene.cursor.location = place
        bpy.ops.maquette.sketch_add(kind=kind)
        thing = bpy.context.object
        thing.scale = size
        if kind == "CYLINDER" and size[2] > 0.6:
            thing.rotation_euler.x = 1.5708
    bpy.context.object.rotation_euler.x = -0.7
    scene.cursor.location = (0, 0, 0)


def begin() -> float:
    area, region = area_and_region("WINDOW")
    area.spaces.active.show_region_ui = True
    area.spaces.active.shading.type = "SOLID"
    window = bpy.context.window_manager.windows[0]
    settings = bpy.context.scene.maquette
    settings.mode = "SCULPT"
    settings.latent_nerf.prompt = "a wooden toy dog"
    with bpy.context.temp_override(window=window, area=area, region=region):
        build()
        bpy.ops.object.select_all(action="SELECT")
        turned = Euler((math.radians(70), 0, math.radians(-40)))
        area.spaces.active.region_3d.view_rotation = turned.to_quaternion()
        bpy.ops.view3d.view_selected()
        bpy.ops.object.select_all(action="DESELECT")
    bpy.context.preferences.addons[MODULE].preferences.address = os.environ["MAQUETTE_SHOT_ADDRESS"]
    return 0.8


def tab() -> float:
    area, region = area_and_region()
    region.active_panel_category = "Maquette"
    area.tag_redraw()
    return 1.5


def shot(name):
    def take() -> float:
        subprocess.run(["scrot", "-o", str(LOG.with_name(f"{name}.png"))], check=True)
        return 0.3

    return take


def run(operator):
    def press() -> float:
        area, region = area_and_region("WINDOW")
        window = bpy.context.window_manager.windows[0]
        with bpy.context.temp_override(window=window, area=area, region=region):
            getattr(bpy.ops.maquette, operator)("EXEC_DEFAULT", True)
        return 0.5

    return press


def until(done):
    def wait() -> float:
        if not done(bpy.context.window_manager.maquette):
            story.insert(0, wait)
            return 0.2
        return 1.0

    return wait


def beside() -> float:
    """The object with its texture."""
    area, _ = area_and_region("WINDOW")
    area.spaces.active.shading.color_type = "TEXTURE"
    return 1.5


def say_ready() -> None:
    LOG.write_text("ready", encoding="utf-8")


def grown(live) -> bool:
    row = live.jobs[0]
    return row.has_result or row.state == "failed" or (row.stage == "sculpt" and row.step >= SEEN)


def finished(live) -> bool:
    return live.jobs[0].has_result or live.jobs[0].state == "failed"


story = [
    *(begin, tab, shot("sketch"), run("sculpt"), until(grown), shot("growing"), until(finished)),
    *(run("result_apply"), beside, shot("sculpted"), say_ready),
]


def turn() -> float | None:
    try:
        return story.pop(0)() if story else None
    except Exception:  # whatever it is, the session outside must not wait for its whole time
        logging.exception("the panel could not be shown")
        LOG.write_text("failed", encoding="utf-8")
        return None


bpy.app.timers.register(turn, first_interval=1.5)
