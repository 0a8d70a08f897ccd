"""Facts about sculpting from Blender: a sketch of primitives, a real server, and the object in the scene."""

import importlib
import os
import time

import bpy
import numpy as np
import pytest

MODULE = "bl_ext.user_default.maquette"
captures = importlib.import_module(f"{MODULE}.captures")
pump = importlib.import_module(f"{MODULE}.pump")

LIMIT = 300.0
STEPS = 60
CURSOR = (3.0, -2.0, 1.0)


@pytest.fixture(scope="module", autouse=True)
def server():
    """The server that the button starts; it serves all facts of this file."""
    chosen = bpy.context.preferences.addons[MODULE].preferences
    chosen.address = f"127.0.0.1:{os.environ['MAQUETTE_TEST_PORT']}"
    chosen.command = os.environ["MAQUETTE_TEST_COMMAND"]
    chosen.data_dir = os.environ["MAQUETTE_TEST_DATA_DIR"]
    assert bpy.ops.maquette.server_start() == {"FINISHED"}
    process = pump.running().started.process
    until = time.monotonic() + LIMIT
    while live().connection != "READY":
        assert time.monotonic() < until, live().error
        pump.tick()
        time.sleep(0.005)
    yield process
    if bpy.ops.maquette.server_stop.poll():
        bpy.ops.maquette.server_stop()
    try:
        process.wait(30)
    finally:
        process.kill()


def live():
    return bpy.context.window_manager.maquette


@pytest.fixture(scope="module")
def sculpted(server):
    """A snowman-like sketch away from the origin, two of its three solids locked, and what grew from it."""
    for old in list(bpy.data.objects):
        bpy.data.objects.remove(old)
    scene = bpy.context.scene
    scene.maquette.mode = "SCULPT"
    for kind, height, size, lock in (
        ("SPHERE", 0.0, 1.0, True),
        ("SPHERE", 1.4, 0.7, True),
        ("CONE", 2.4, 0.4, False),
    ):
        scene.cursor.location = (CURSOR[0], CURSOR[1], CURSOR[2] + height)
        assert bpy.ops.maquette.sketch_add(kind=kind) == {"FINISHED"}
        bpy.context.object.scale = (size,) * 3
        bpy.context.object.maquette.lock = lock
    settings = scene.maquette.latent_nerf
    settings.prompt, settings.texture_size, settings.faces = "a red snowman", 128, 4000
    settings.use_steps, settings.steps, settings.softness = True, STEPS, 0.1
    assert bpy.ops.maquette.sculpt() == {"FINISHED"}
    bpy.ops.maquette.wait(timeout=LIMIT, apply=False)
    before = set(bpy.data.objects)
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.maquette.result_apply() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="Apply Maquette Result")
    (empty,) = (thing for thing in set(bpy.data.objects) - before if thing.type == "EMPTY")
    return empty.name


def corners(thing):
    bpy.context.view_layer.update()
    world = np.array(thing.matrix_world)
    points = np.empty(len(thing.data.vertices) * 3)
    thing.data.vertices.foreach_get("co", points)
    return points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


def test_the_object_stands_where_its_sketch_does(sculpted) -> None:
    empty = bpy.data.objects[sculpted]
    (thing,) = empty.children
    points = corners(thing)
    low, high = points.min(0), points.max(0)
    np.testing.assert_allclose(low, (CURSOR[0] - 1, CURSOR[1] - 1, CURSOR[2] - 1), atol=0.2)
    np.testing.assert_allclose(high[:2], (CURSOR[0] + 1, CURSOR[1] + 1), atol=0.2)
    assert high[2] > CURSOR[2] + 1.4 + 0.7 - 0.2
    assert thing.matrix_world.to_euler()[:] == pytest.approx((0, 0, 0))
    np.testing.assert_allclose(thing.matrix_world.translation, 0.5 * (low + high), atol=1e-3)


def test_it_has_a_material_with_the_texture(sculpted) -> None:
    (thing,) = bpy.data.objects[sculpted].children
    (material,) = thing.data.materials
    images = [node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE"]
    assert [tuple(image.size) for image in images] == [(128, 128)]
    pixels = np.array(images[0].pixels[:]).reshape(-1, 4)
    assert pixels[:, 0].mean() > 1.5 * pixels[:, 1:3].mean()


def test_its_field_can_be_rendered_and_looked_at(sculpted) -> None:
    empty = bpy.data.objects[sculpted]
    assert empty[captures.SCENE] == live().jobs[0].job_id
    bpy.context.view_layer.objects.active = empty
    assert captures.chosen(bpy.context) == empty
    assert bpy.ops.maquette.render_views.poll()


def test_another_object_of_the_sketch_stands_beside_the_first(sculpted) -> None:
    names = {thing.name for thing in bpy.data.objects}
    assert bpy.ops.maquette.result_apply() == {"FINISHED"}
    (other,) = (thing for thing in bpy.data.objects if thing.type == "EMPTY" and thing.name not in names)
    first = corners(bpy.data.objects[sculpted].children[0])
    second = corners(other.children[0])
    assert second[:, 0].min() > first[:, 0].max()
    np.testing.assert_allclose(second[:, 1:], first[:, 1:], atol=1e-5)
    bpy.data.objects.remove(other.children[0])
    bpy.data.objects.remove(other)


def test_the_sketch_stays_as_it_was(sculpted) -> None:
    sketch = bpy.context.scene.maquette.sketch
    assert [thing.name.split(".")[0] for thing in sketch.objects] == ["Sphere", "Sphere", "Cone"]
    assert all(thing.display_type == "WIRE" and thing.hide_render for thing in sketch.objects)


def test_what_cannot_be_sculpted_is_said_before_anything_is_sent(sculpted) -> None:
    scene = bpy.context.scene
    count = len(live().jobs)
    full = scene.maquette.sketch
    scene.maquette.sketch = bpy.data.collections.new("Nothing")
    with pytest.raises(RuntimeError, match="no objects with faces"):
        bpy.ops.maquette.sculpt()
    scene.maquette.sketch = full
    prompt, scene.maquette.latent_nerf.prompt = scene.maquette.latent_nerf.prompt, " "
    with pytest.raises(RuntimeError, match="prompt"):
        bpy.ops.maquette.sculpt()
    scene.maquette.latent_nerf.prompt = prompt
    assert len(live().jobs) == count


def test_a_plane_is_refused_by_the_server_by_name(server) -> None:
    scene = bpy.context.scene
    full = scene.maquette.sketch
    scene.maquette.latent_nerf.prompt = "a red ball"
    flat = bpy.data.collections.new("Flat")
    scene.collection.children.link(flat)
    bpy.ops.mesh.primitive_plane_add()
    plane = bpy.context.object
    flat.objects.link(plane)
    scene.maquette.sketch = flat
    assert bpy.ops.maquette.sculpt() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="'Plane'"):
        bpy.ops.maquette.wait(timeout=LIMIT)
    scene.maquette.sketch = full
