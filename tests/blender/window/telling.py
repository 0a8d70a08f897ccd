"""What the stories in a window share: a story is a list of steps, each of which says when the next one comes.

Imported inside a Blender with a window. Environment: MAQUETTE_SHOT_LOG (a file that gets the word ready, or
failed; pictures of the window lie beside it), MAQUETTE_SHOT_ADDRESS (a server).
"""

import logging
import math
import os
import subprocess
from pathlib import Path

import bpy

LOG = Path(os.environ["MAQUETTE_SHOT_LOG"])
MODULE = "bl_ext.user_default.maquette"
story = []


def begin(steps) -> None:
    """Tells it from now on."""
    story.extend([*steps, lambda: say("ready")])
    bpy.context.preferences.view.show_splash = False
    bpy.app.timers.register(turn, first_interval=1.5)


def turn() -> float | None:
    try:
        return story.pop(0)() if story else None
    except Exception:  # whatever it is, the session outside must not wait for its whole time
        logging.exception("the story could not be told")
        say("failed")
        return None


def say(word) -> None:
    LOG.write_text(word, encoding="utf-8")


def area_and_region(kind="UI"):
    screen = bpy.context.window_manager.windows[0].screen
    area = max((a for a in screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height)
    return area, next(region for region in area.regions if region.type == kind)


def in_view():
    area, region = area_and_region("WINDOW")
    window = bpy.context.window_manager.windows[0]
    return bpy.context.temp_override(window=window, area=area, region=region)


def connect() -> None:
    bpy.context.preferences.addons[MODULE].preferences.address = os.environ["MAQUETTE_SHOT_ADDRESS"]


def tab() -> float:
    """Opens the sidebar at the extension's tab."""
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
    """Presses a button, with its undo step."""

    def press() -> float:
        with in_view():
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


def finished(live) -> bool:
    """Whether the newest job is over; a failed one ends the story."""
    row = live.jobs[0]
    assert row.state != "failed", row.sentence
    return row.has_result


def material(name, colour, stripes=None):
    made = bpy.data.materials.new(name)
    if made.node_tree is None:
        made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
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
    return made


def toy() -> None:
    """A house of a few primitives, selected, and a sky that lights it."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    made = []
    bpy.ops.mesh.primitive_cube_add(size=1.6, location=(0, 0, 0.4))
    made.append((bpy.context.object, material("Checks", (0.75, 0.1, 0.06), (0.9, 0.75, 0.5))))
    bpy.ops.mesh.primitive_cone_add(radius1=1.3, depth=1.1, location=(0, 0, 1.75))
    made.append((bpy.context.object, material("Roof", (0.06, 0.2, 0.6))))
    bpy.ops.mesh.primitive_cylinder_add(radius=0.18, depth=0.9, location=(0.6, 0.2, 2.0))
    made.append((bpy.context.object, material("Chimney", (0.85, 0.55, 0.05))))
    for thing, coat in made:
        thing.data.materials.append(coat)
    for thing, _ in made:
        thing.select_set(True)
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 32
    scene.cycles.use_denoising = False  # not every Blender was built with it
    scene.world = bpy.data.worlds.new("Sky")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    background = next(node for node in scene.world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (1, 1, 1, 1)


def capture(count, pixels) -> None:
    """The toy, cameras round it, the view turned to it, and the sidebar."""
    area, _ = area_and_region("WINDOW")
    area.spaces.active.show_region_ui = True
    area.spaces.active.shading.type = "SOLID"
    with in_view():
        toy()
        bpy.ops.maquette.cameras_add(kind="DOME", count=count, width=pixels, height=pixels)
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
        bpy.ops.view3d.view_orbit(angle=0.5, type="ORBITLEFT")
        bpy.ops.view3d.view_orbit(angle=0.4, type="ORBITUP")
    connect()


def look_through() -> float:
    """Through a camera of its own, a little above the front, at the field alone."""
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


def seen_large(live) -> bool:
    """Whether the live picture has grown."""
    image = bpy.data.images.get("Maquette Live")
    return image is not None and max(image.size) >= 256
