"""Runs inside Blender's own Python: paints a grid of FACES faces and prints how long each call held it.

`python ticks.py ZIP FACES TEXTURE OUT.json`, with MAQUETTE_BENCH_PORT and BLENDER_USER_RESOURCES in the
environment. With a TEXTURE (pixels along an edge, else 0) the grid has one that was drawn in Blender, and a
mask keeps it. The server is the stand-in of `benchmarks/ticks.py`, so that only the extension is measured.
"""

import importlib
import json
import logging
import os
import sys
import time
from pathlib import Path

import bpy
import numpy as np

MODULE = "bl_ext.user_default.maquette"
PATIENCE = 120.0  # s


def timed(action):
    """Milliseconds of one call, and how many of them its thread was computing."""
    start, computing = time.perf_counter(), time.thread_time()
    action()
    return 1000 * (time.perf_counter() - start), 1000 * (time.thread_time() - computing)


def masked(thing, size):
    """Gives it a texture without a file, and the scene a mask, so that the texture is sent."""
    image = bpy.data.images.new("Drawn", size, size)
    image.pixels.foreach_set(np.random.default_rng(0).random(4 * size * size, np.float32))
    material = bpy.data.materials.new("Drawn")
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.image = image
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    thing.data.materials.append(material)
    bpy.context.scene.maquette.mask_mode = "SLOT"


def main(zip_path: str, faces: int, texture: int) -> dict[str, list[tuple[float, float]]]:
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    pump = importlib.import_module(f"{MODULE}.pump")
    bpy.context.preferences.addons[
        MODULE
    ].preferences.address = f"127.0.0.1:{os.environ['MAQUETTE_BENCH_PORT']}"
    side = round(faces**0.5)
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=side, y_subdivisions=side)
    thing = bpy.context.object
    if texture:
        masked(thing, texture)
    rows = bpy.context.window_manager.maquette.jobs
    found: dict[str, list[tuple[float, float]]] = {"collect": [], "preview": [], "fetch": []}

    def ticks(name, done):
        until = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > until:
                raise TimeoutError(f"{name}: {[(row.state, row.stage, row.sentence) for row in rows]}")
            found[name].append(timed(pump.tick))
            bpy.context.view_layer.update()  # where Blender itself would work, and tell of edits
            time.sleep(0.005)

    bpy.ops.maquette.connect()
    while bpy.context.window_manager.maquette.connection != "READY":
        pump.tick()
    bpy.context.scene.maquette.latent_paint.prompt = "slow"
    found["paint"] = [timed(bpy.ops.maquette.paint)]
    ticks("collect", lambda: rows[0].state == "running")
    ticks("preview", lambda: bool(thing.maquette.preview))
    shown = len(found["preview"]) + 200
    ticks("preview", lambda: len(found["preview"]) > shown)
    bpy.ops.maquette.stop()
    ticks("fetch", lambda: rows[0].has_result)
    found["apply"] = [timed(bpy.ops.maquette.result_apply)]
    return found


if __name__ == "__main__":
    code = 1
    try:
        found = main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
        Path(sys.argv[4]).write_text(json.dumps(found), encoding="utf-8")
        code = 0
    except Exception:  # told here, as the exit below shows nothing of it
        logging.exception("nothing was measured")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # bpy 4.2 crashes at a normal exit while anything is registered
