"""Facts about the whole line: the extension, a server that it starts itself, and the pocket model."""

import importlib
import os
import time

import bpy
import numpy as np
import pytest

MODULE = "bl_ext.user_default.maquette"
pump = importlib.import_module(f"{MODULE}.pump")
targets = importlib.import_module(f"{MODULE}.target")
STEPS = 12
LIMIT = 240.0


@pytest.fixture(scope="module", autouse=True)
def server():
    """The server that the button starts; it serves all facts of this file."""
    chosen = bpy.context.preferences.addons[MODULE].preferences
    chosen.address = f"127.0.0.1:{os.environ['MAQUETTE_TEST_PORT']}"
    chosen.command = os.environ["MAQUETTE_TEST_COMMAND"]
    chosen.data_dir = os.environ["MAQUETTE_TEST_DATA_DIR"]
    assert bpy.ops.maquette.server_start() == {"FINISHED"}
    process = pump.running().started.process
    pumped(lambda: live().connection == "READY")
    yield process
    if bpy.ops.maquette.server_stop.poll():
        bpy.ops.maquette.server_stop()
    try:
        process.wait(30)
    finally:
        process.kill()


@pytest.fixture(autouse=True)
def thing():
    for old in list(bpy.data.objects):
        bpy.data.objects.remove(old)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=24, ring_count=12)
    return bpy.context.object


def live():
    return bpy.context.window_manager.maquette


def pumped(done, limit=LIMIT) -> None:
    until = time.monotonic() + limit
    while not done():
        assert time.monotonic() < until, (live().error, [(r.label, r.state, r.sentence) for r in live().jobs])
        pump.tick()
        time.sleep(0.005)


def paint(prompt: str, steps: int = STEPS, **settings) -> None:
    chosen = bpy.context.scene.maquette
    chosen.mask_mode = settings.pop("mask_mode", "NONE")
    given = chosen.latent_paint
    given.prompt, given.texture_size, given.use_steps, given.steps = prompt, 256, True, steps
    for name, value in settings.items():
        setattr(given, name, value)
    assert bpy.ops.maquette.paint() == {"FINISHED"}


def image_of(thing):
    tree = thing.material_slots[0].material.node_tree
    return next(node.image for node in tree.nodes if node.type == "TEX_IMAGE")


def pixels(image):
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(image.size[1], image.size[0], 4)[::-1]


def test_a_sphere_is_painted_undone_saved_and_reloaded(thing, tmp_path) -> None:
    paint("a red ball", steps=60)
    pumped(lambda: bool(thing.material_slots) or live().jobs[0].state == "succeeded")
    bpy.ops.maquette.wait(timeout=LIMIT)
    assert not thing.material_slots  # the preview is gone, and nothing is applied without being told
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.maquette.result_apply() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="Apply Maquette Result")
    image = image_of(thing)
    assert tuple(image.size) == (256, 256)
    red, green, blue = pixels(image)[..., :3].mean(axis=(0, 1))
    assert red > green + 0.15
    assert red > blue + 0.15
    name, layers = thing.name, [layer.name for layer in thing.data.uv_layers]
    assert layers == ["UVMap", "Maquette UV"]
    bpy.ops.ed.undo()
    assert not bpy.data.objects[name].material_slots
    bpy.ops.ed.redo()
    path = str(tmp_path / "painted.blend")
    before = pixels(image_of(bpy.data.objects[name]))
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert np.array_equal(pixels(image_of(bpy.data.objects[name])), before)


def test_a_mesh_without_uvs_gets_an_atlas(thing) -> None:
    thing.data.uv_layers.remove(thing.data.uv_layers[0])
    thing.data.update_tag()
    paint("a blue ball")
    bpy.ops.maquette.wait(timeout=LIMIT, apply=True)
    uvs = targets.layer_uvs(thing.data.uv_layers["Maquette UV"])
    assert uvs.min() >= 0
    assert uvs.max() <= 1
    assert len(np.unique(np.round(uvs, 4), axis=0)) > 100


def test_a_mask_leaves_the_other_half_as_it_was(thing) -> None:
    material = bpy.data.materials.new("Plain")
    if material.node_tree is None:
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (0.0, 1.0, 0.0, 1.0)
    thing.data.materials.append(material)
    for polygon in thing.data.polygons:
        polygon.select = polygon.center.z > 0
    paint("a red ball", mask_mode="FACES", feather=0)
    bpy.ops.maquette.wait(timeout=LIMIT, apply=True)
    values = pixels(image_of(thing))[..., :3]
    lower = values[-100:]  # a sphere's v runs with its height
    assert (lower == np.array([0, 1, 0], np.float32)).all()
    assert not (values[:100] == np.array([0, 1, 0], np.float32)).all()


def test_a_subdivided_mesh_is_painted_through_its_modifier(thing) -> None:
    thing.modifiers.new("Subdivision", "SUBSURF").levels = 1
    paint("a yellow ball")
    bpy.ops.maquette.wait(timeout=LIMIT, apply=True)
    layers = thing.data.uv_layers
    assert np.array_equal(targets.layer_uvs(layers["Maquette UV"]), targets.layer_uvs(layers["UVMap"]))


def test_a_cancelled_job_leaves_nothing_and_a_stopped_one_its_painting(thing) -> None:
    paint("a red ball", steps=5000)
    pumped(lambda: live().jobs[0].stage == "paint" and live().jobs[0].step > 0)
    bpy.ops.maquette.cancel()
    pumped(lambda: live().jobs[0].state == "cancelled")
    assert not thing.material_slots
    paint("a red ball", steps=5000)
    pumped(lambda: live().jobs[0].step > 2 and live().jobs[0].stage == "paint")
    bpy.ops.maquette.stop()
    bpy.ops.maquette.wait(timeout=LIMIT, apply=True)
    assert thing.material_slots[0].material.name.startswith(thing.name)


def test_a_killed_server_that_is_started_again_finishes_the_job(thing, server) -> None:
    paint("a red ball", steps=150)
    pumped(lambda: live().jobs[0].step > 2 and live().jobs[0].stage == "paint")
    server.kill()
    server.wait()
    pumped(lambda: live().connection == "LOST")
    assert live().jobs[0].state not in {"failed", "cancelled"}
    bpy.ops.maquette.disconnect()
    assert bpy.ops.maquette.server_start() == {"FINISHED"}
    again = pump.running().started.process
    try:
        bpy.ops.maquette.wait(timeout=LIMIT, apply=True)
        assert thing.material_slots
    finally:
        bpy.ops.maquette.server_stop()
        assert again.wait(30) is not None
