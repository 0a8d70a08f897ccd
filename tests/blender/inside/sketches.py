"""Facts about sketches inside Blender, without a server: what is sent, and how an object comes back."""

import importlib
import json
import math

import bpy
import numpy as np
import pytest

MODULE = "bl_ext.user_default.maquette"
captures = importlib.import_module(f"{MODULE}.captures")
extracted = importlib.import_module(f"{MODULE}.apply.extracted")
methods = importlib.import_module(f"{MODULE}.methods.latent_nerf")
panels = importlib.import_module(f"{MODULE}.panels")
png = importlib.import_module(f"{MODULE}.png")
sculpted = importlib.import_module(f"{MODULE}.apply.sculpted")
sketches = importlib.import_module(f"{MODULE}.collect.sketch")
steps = importlib.import_module(f"{MODULE}.steps")
arrays = importlib.import_module(f"{MODULE}.wire.arrays")
errors = importlib.import_module(f"{MODULE}.wire.errors")


@pytest.fixture(autouse=True)
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=MODULE)
    return bpy.context.scene


def sent():
    bpy.context.view_layer.update()
    settings = bpy.context.scene.maquette
    depsgraph = bpy.context.evaluated_depsgraph_get()
    given = steps.at_once(sketches.input_steps(sketches.read(depsgraph, settings.sketch, settings.front)))
    (sketch,) = given.inputs
    return sketch.parts, given.blobs


def array(ref, blobs):
    return arrays.from_bytes(ref.dtype, ref.shape, bytes(blobs[ref.digest]))


def test_solids_go_into_one_sketch_at_the_cursor_and_hide_nothing(scene) -> None:
    for number, kind in enumerate(("SPHERE", "BOX", "CYLINDER", "CONE", "TORUS")):
        scene.cursor.location = (number, 0, 0)
        assert bpy.ops.maquette.sketch_add(kind=kind) == {"FINISHED"}
        assert bpy.context.object.location.x == number
    things = list(scene.maquette.sketch.objects)
    assert len(things) == 5
    assert all(thing.display_type == "WIRE" and thing.hide_render for thing in things)
    assert all(list(thing.users_collection) == [scene.maquette.sketch] for thing in things)


def test_a_solid_added_in_edit_mode_is_in_object_mode_and_in_the_sketch(scene) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    assert bpy.ops.maquette.sketch_add(kind="SPHERE") == {"FINISHED"}
    assert bpy.context.object.mode == "OBJECT"
    assert list(bpy.context.object.users_collection) == [scene.maquette.sketch]


def test_what_is_hidden_with_the_eye_is_not_sent(scene) -> None:
    bpy.ops.maquette.sketch_add(kind="SPHERE")
    bpy.ops.maquette.sketch_add(kind="BOX")
    bpy.context.object.hide_set(True)
    parts, _ = sent()
    assert [part.mesh.name for part in parts] == ["Sphere"]


def test_each_solid_is_sent_with_its_strength_lock_and_place(scene) -> None:
    scene.maquette.front = "X"
    bpy.ops.maquette.sketch_add(kind="BOX")
    box = bpy.context.object
    box.scale, box.location, box.rotation_euler.z = (1, 2, 3), (5, 0, 0), 0.5 * math.pi
    box.maquette.strength, box.maquette.lock = 0.25, True
    bpy.ops.maquette.sketch_add(kind="SPHERE")
    hidden = bpy.context.object
    hidden.hide_viewport = True
    ((part,), blobs) = sent()
    assert (part.strength, part.lock, part.mesh.name) == (0.25, True, box.name)
    assert (part.mesh.up, part.mesh.front) == ((0, 0, 1), (1, 0, 0))
    points = array(part.mesh.positions, blobs)
    world = np.array(part.mesh.world_from_object)
    placed = points @ world[:3, :3].T + world[:3, 3]
    np.testing.assert_allclose(np.ptp(placed, axis=0), (4, 2, 6), atol=1e-5)
    assert array(part.mesh.triangles, blobs).shape == (12, 3)


def test_parents_modifiers_and_thick_curves_count(scene) -> None:
    bpy.ops.maquette.sketch_add(kind="BOX")
    box = bpy.context.object
    box.modifiers.new("Subdivide", "SUBSURF").levels = 1
    parent = bpy.data.objects.new("Parent", None)
    scene.collection.objects.link(parent)
    parent.location.z = 7
    box.parent = parent
    bpy.ops.curve.primitive_bezier_circle_add()
    curve = bpy.context.object
    curve.data.bevel_depth = 0.1
    scene.maquette.sketch.objects.link(curve)
    parts, blobs = sent()
    assert [part.mesh.name for part in parts] == [box.name, curve.name]
    assert len(array(parts[0].mesh.triangles, blobs)) == 48
    assert parts[0].mesh.world_from_object[2][3] == 7


def test_a_sketch_without_faces_is_refused(scene) -> None:
    scene.maquette.sketch = bpy.data.collections.new("Empty One")
    scene.maquette.latent_nerf.prompt = "a red ball"
    with pytest.raises(RuntimeError, match="'Empty One' has no objects with faces"):
        bpy.ops.maquette.sculpt()


def test_settings_become_what_the_server_reads(scene) -> None:
    settings = scene.maquette.latent_nerf
    settings.prompt = "a red ball"
    found = methods.params(settings)
    assert (found["softness"], found["refine"]) == (pytest.approx(0.3), False)
    assert not {"preset", "steps", "guidance_scale"} & set(found)
    settings.preset, settings.use_steps, settings.steps = "fine", True, 12
    assert {**methods.params(settings), "preset": "fine", "steps": 12} == methods.params(settings)


def surface():
    picture = np.full((8, 8, 4), 255, np.uint8)
    corners = np.add([[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2.0]], [10, 20, 30])
    triangles = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], np.int32)
    uvs = np.zeros((4, 3, 2), np.float32)
    return extracted.Surface(corners, triangles, uvs, png.encode(picture), {"method": "latent_nerf"})


def built(label, place=(0.0, 0.0, 0.0), given=None):
    record = json.dumps({"id": "an id"}).encode()
    return sculpted.build(bpy.context, label, place, given, "a job", record, {"seed": 1})


def test_an_object_comes_where_the_server_has_it_and_the_next_beside_it(scene) -> None:
    first, second = built("Sketch", given=surface()), built("Sketch", given=surface())
    bpy.context.view_layer.update()
    (one,), (other,) = first.children, second.children
    assert tuple(one.matrix_world.translation) == pytest.approx((11, 21, 31))
    assert tuple(other.matrix_world.translation) == pytest.approx((11 + 1.15 * 2, 21, 31))
    assert one.matrix_world.to_euler()[:] == (0, 0, 0)
    assert first[captures.SCENE] == "a job"
    assert first[captures.SCENE_ID] == "an id"
    assert bpy.context.object == other


def test_an_object_of_the_same_words_elsewhere_stands_there(scene) -> None:
    built("a red ball", place=(1.0, 2.0, 3.0), given=surface())
    there = built("a red ball", place=(5.0, 0.5, 0.25), given=surface())
    again = built("a red ball", place=(5.0, 0.5, 0.25), given=surface())
    assert tuple(there.location) == (5.0, 0.5, 0.25)
    assert again.location.x == pytest.approx(5.0 + 1.15 * 2)


def test_what_has_no_surface_yet_is_a_field_to_look_at(scene) -> None:
    empty = built("a red ball", place=(1.0, 2.0, 3.0))
    assert tuple(empty.location) == (1, 2, 3)
    assert not empty.children
    assert captures.chosen(bpy.context) == empty


def test_a_mesh_that_is_not_whole_makes_nothing(scene) -> None:
    given = surface()
    broken = extracted.Surface(given.positions[:2], given.triangles, given.corner_uvs, given.png, {})
    with pytest.raises(errors.UserError, match="not whole"):
        built("Sketch", given=broken)
    assert not bpy.data.objects


def test_the_mode_stands_between_the_others(scene) -> None:
    modes = [item.identifier for item in scene.maquette.bl_rna.properties["mode"].enum_items]
    assert modes == ["PAINT", "SCULPT", "RECONSTRUCT", "EDIT"]
    assert panels.MAQUETTE_PT_main.is_registered
