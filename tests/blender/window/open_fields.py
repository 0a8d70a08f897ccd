"""Runs inside a Blender with a window: renders views of a toy, learns its field, looks at it, extracts it.

Pictures of the window on the way: captures, learning, live, mesh. Environment: MAQUETTE_SHOT_LOG (a file that
gets the word ready; the pictures lie beside it), MAQUETTE_SHOT_ADDRESS (a server).
"""

import logging
import math
import os
import subprocess
from pathlib import Path

import bpy

LOG = Path(os.environ["MAQUETTE_SHOT_LOG"])
STEPS, SEEN = 500, 250
MODULE = "bl_ext.user_default.maquette"
bpy.context.preferences.view.show_splash = False


def area_and_region(kind="UI"):
    screen = bpy.context.window_manager.windows[0].screen
    area = max((a for a in screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height)
    return area, next(region for region in area.regions if region.type == kind)


def shining(name, colour, stripes=None):
    """A material that looks the same in every light."""
    material = bpy.data.materials.new(name)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    shader, output = nodes.new("ShaderNodeBsdfDiffuse"), nodes.new("ShaderNodeOutputMaterial")
    shader.inputs["Color"].default_value = (*colour, 1)
    if stripes is not None:
        checks = nodes.new("ShaderNodeTexChecker")
        checks.inputs["Scale"].default_value = 3
        checks.inputs["Color1"].default_value = (*colour, 1)
        checks.inputs["Color2"].default_value = (*stripes, 1)
        links.new(checks.outputs["Color"], shader.inputs["Color"])
    links.new(shader.outputs[0], output.inputs["Surface"])
    return material


def build() -> None:
    """A toy of a few primitives, and a sky that lights it."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    made = []
    bpy.ops.mesh.primitive_cube_add(size=1.6, location=(0, 0, 0.4))
    made.append((bpy.context.object, shining("Checks", (0.75, 0.1, 0.06), (0.9, 0.75, 0.5))))
    bpy.ops.mesh.primitive_cone_add(radius1=1.3, depth=1.1, location=(0, 0, 1.75))
    made.append((bpy.context.object, shining("Roof", (0.06, 0.2, 0.6))))
    bpy.ops.mesh.primitive_cylinder_add(radius=0.18, depth=0.9, location=(0.6, 0.2, 2.0))
    made.append((bpy.context.object, shining("Chimney", (0.85, 0.55, 0.05))))
    for thing, material in made:
        thing.data.materials.append(material)
    for thing, _ in made:
        thing.select_set(True)
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 8
    scene.world = bpy.data.worlds.new("Sky")
    background = next(node for node in scene.world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (1, 1, 1, 1)


def begin() -> float:
    area, region = area_and_region("WINDOW")
    area.spaces.active.show_region_ui = True
    area.spaces.active.shading.type = "SOLID"
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=area, region=region):
        build()
        bpy.ops.maquette.cameras_add(kind="DOME", count=20, width=64, height=64)
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
        bpy.ops.view3d.view_orbit(angle=0.5, type="ORBITLEFT")
        bpy.ops.view3d.view_orbit(angle=0.4, type="ORBITUP")
    settings = bpy.context.scene.maquette
    settings.mode = "RECONSTRUCT"
    settings.reconstruct.budget, settings.reconstruct.steps = "STEPS", STEPS
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


def run(operator, **options):
    def press() -> float:
        area, region = area_and_region("WINDOW")
        window = bpy.context.window_manager.windows[0]
        with bpy.context.temp_override(window=window, area=area, region=region):
            getattr(bpy.ops.maquette, operator)("EXEC_DEFAULT", True, **options)
        return 0.5

    return press


def until(done):
    def wait() -> float:
        if not done(bpy.context.window_manager.maquette):
            story.insert(0, wait)
            return 0.2
        return 1.0

    return wait


def look_through() -> float:
    """Through the active camera, a little above the front."""
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Look", bpy.data.cameras.new("Look"))
    scene.collection.objects.link(camera)
    camera.location, camera.rotation_euler = (4.5, -8.0, 4.0), (math.radians(68), 0, math.radians(29))
    scene.camera = camera
    scene.render.resolution_x = scene.render.resolution_y = 512
    for thing in bpy.data.objects:
        if thing.type == "MESH":
            thing.hide_set(True)
    area, _ = area_and_region()
    area.spaces.active.region_3d.view_perspective = "CAMERA"
    return 0.5


def mesh_alone() -> float:
    area, region = area_and_region("WINDOW")
    area.spaces.active.shading.color_type = "TEXTURE"
    area.spaces.active.region_3d.view_perspective = "PERSP"
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_selected()
    return 1.5


def say_ready() -> None:
    LOG.write_text("ready", encoding="utf-8")


def learnt_enough(live) -> bool:
    row = live.jobs[0]
    return row.has_result or (row.stage == "learn" and row.step >= SEEN)


def finished(live) -> bool:
    return live.jobs[0].has_result or live.jobs[0].state == "failed"


def large(live) -> bool:
    image = bpy.data.images.get("Maquette Live")
    return image is not None and max(image.size) >= 256


story = [
    *(begin, tab, shot("capture"), run("reconstruct"), until(lambda live: live.jobs[0].step >= 5)),
    *(shot("rendering"), until(learnt_enough), shot("learning"), until(finished), run("result_apply")),
    *(look_through, run("live_render"), until(large), shot("live"), run("live_render")),
    *(run("extract_mesh", texture_size=256, use_resolution=True, resolution=64), until(finished)),
    *(run("result_apply"), mesh_alone, shot("mesh"), say_ready),
]


def turn() -> float | None:
    try:
        return story.pop(0)() if story else None
    except Exception:  # whatever it is, the session outside must not wait for its whole time
        logging.exception("the panel could not be shown")
        LOG.write_text("failed", encoding="utf-8")
        return None


bpy.app.timers.register(turn, first_interval=1.5)
