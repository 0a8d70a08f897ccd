"""The whole line in one go, in a real Blender: `.venv-blender/<version>/bin/python docs/demo.py`.

Installs the built zip in a throw-away profile, makes a small scene, starts the server through the extension,
paints Suzanne from a prompt through the extension's own operators, applies the result, and leaves
`demo/painted.blend` and `demo/painted.png`. The server it started is ended whatever happens. Needs `make
setup` and `make addon`.
"""

import math
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "demo"
MODULE = "bl_ext.user_default.maquette"
PROMPT = "a red dragon"
SEED = 1
SIDE = 560  # pixels of the picture
SAMPLES = 24
LIMIT = 900.0  # s for the painting


class Failure(Exception):
    """What went wrong, in one sentence."""


def main(profile: Path) -> None:
    """The demonstration; `profile` is an empty folder. Raises Failure or RuntimeError."""
    command = ROOT / ".venv" / ("Scripts/maquette.exe" if sys.platform == "win32" else "bin/maquette")
    zips = sorted((ROOT / "dist").glob("maquette-*.zip"), key=lambda path: path.stat().st_mtime)
    if not command.exists() or not zips:
        raise Failure("The server or the extension is missing: run make setup and make addon first.")
    os.environ["BLENDER_USER_RESOURCES"] = str(profile / "blender")
    import bpy  # reads the profile's place when it is loaded

    bpy.ops.extensions.package_install_files(
        filepath=str(zips[-1]), repo="user_default", enable_on_install=True
    )
    if MODULE not in bpy.context.preferences.addons:
        raise Failure(f"{zips[-1].name} could not be installed in Blender {bpy.app.version_string}.")
    chosen = bpy.context.preferences.addons[MODULE].preferences
    chosen.address = f"127.0.0.1:{free_port()}"
    chosen.command = str(command)
    chosen.data_dir = str(profile / "server")
    monkey = scene(bpy)
    try:
        say("Starting the server ...")
        bpy.ops.maquette.server_start()
        settings = bpy.context.scene.maquette
        settings.latent_paint.prompt = PROMPT
        settings.seed = SEED
        begun = time.monotonic()
        bpy.ops.maquette.paint()
        say(f"Painting {monkey.name}: {PROMPT} ...")
        bpy.ops.maquette.wait(timeout=LIMIT, apply=True)
        seconds = time.monotonic() - begun
    finally:
        end_server(bpy)
    OUT.mkdir(exist_ok=True)
    say("Rendering ...")
    render(bpy, OUT / "painted.png")
    bpy.context.preferences.filepaths.save_version = 0  # an earlier demonstration is replaced, not kept
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "painted.blend"), compress=True)
    for name in ("painted.png", "painted.blend"):
        if not (OUT / name).stat().st_size:
            raise Failure(f"{OUT / name} is empty.")
    bpy.ops.preferences.addon_disable(module=MODULE)
    say(f"{OUT / 'painted.png'} and {OUT / 'painted.blend'}: “{PROMPT}”, painted in {seconds:.0f} s.")


def scene(bpy: Any) -> Any:
    """Suzanne on a plane, with a light and a camera; returns her."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    bpy.ops.mesh.primitive_plane_add(size=30, location=(0, 0, -1))
    bpy.context.object.name = "Ground"
    tilt = (math.radians(45), 0, math.radians(37))
    bpy.ops.object.light_add(type="AREA", location=(3, -4, 5), rotation=tilt)
    light = bpy.context.object.data
    light.energy, light.size = 320, 4
    bpy.ops.object.camera_add(location=(1.7, -4.6, 0.9), rotation=(math.radians(80), 0, math.radians(20)))
    bpy.context.scene.camera = bpy.context.object
    world = bpy.data.worlds.new("World")
    if world.node_tree is None:
        world.use_nodes = True  # Blender 4.x; later versions always have the nodes
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.3, 0.32, 0.36, 1)
    bpy.context.scene.world = world
    bpy.ops.mesh.primitive_monkey_add()
    monkey = bpy.context.object
    monkey.modifiers.new("Subdivision", "SUBSURF").levels = 1
    bpy.ops.object.modifier_apply(modifier="Subdivision")
    bpy.ops.object.shade_smooth()
    return monkey


def render(bpy: Any, path: Path) -> None:
    """A picture of the scene by Cycles, colours as they are."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = SAMPLES
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"  # so that red is red
    scene.view_settings.look = "None"
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def end_server(bpy: Any) -> None:
    """Ends the server through its button, and its process if the button could not be pressed."""
    started = sys.modules[f"{MODULE}.pump"].running().started
    if started is None:
        return
    if bpy.ops.maquette.server_stop.poll():
        bpy.ops.maquette.server_stop()
    else:
        started.process.terminate()
    try:
        started.process.wait(20)
    except subprocess.TimeoutExpired:
        started.process.kill()
        raise Failure("The server did not end within 20 s of its button and was killed.") from None


def free_port() -> int:
    """A port of this computer that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(text: str) -> None:
    """One line for whoever watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    status = 1
    with tempfile.TemporaryDirectory(prefix="maquette-demo-", ignore_cleanup_errors=True) as folder:
        try:
            main(Path(folder))
            status = 0
        except (Failure, RuntimeError, OSError) as error:
            sys.stderr.write(f"The demonstration failed: {str(error).strip().removeprefix('Error: ')}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # the bpy module of 4.2 crashes at a normal exit when anything is still registered
