"""Facts about the depths of views that Blender renders: closed forms, layers, engines, settings."""

import importlib

import bpy
import mathutils
import numpy as np
import pytest

MODULE = "bl_ext.user_default.maquette"
captures = importlib.import_module(f"{MODULE}.captures")
collected = importlib.import_module(f"{MODULE}.collect.capture")
depths = importlib.import_module(f"{MODULE}.collect.depths")
errors = importlib.import_module(f"{MODULE}.wire.errors")
steps = importlib.import_module(f"{MODULE}.steps")

PLACED = mathutils.Matrix.LocRotScale((4, -1, 2), mathutils.Euler((0.3, -0.2, 1.1)), (2, 2, 2))
WIDTH, HEIGHT, COUNT = 100, 75, 3
RADIUS, SEGMENTS = 0.8, 256
FLAT = (
    RADIUS * (1 - np.cos(np.pi / SEGMENTS)) * 2
)  # how far faces lie within the sphere, in the units of both


@pytest.fixture(autouse=True)
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=MODULE)
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    return scene


@pytest.fixture
def empty(scene):
    """Three cameras round a sphere that stands on a plane; all of it is moved, turned and scaled."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=SEGMENTS, ring_count=SEGMENTS // 2, radius=RADIUS)
    sphere = bpy.context.object
    bpy.ops.mesh.primitive_plane_add(size=3, location=(0, 0, -RADIUS))
    plane = bpy.context.object
    sphere.select_set(True)
    bpy.context.view_layer.objects.active = sphere
    bpy.ops.maquette.cameras_add(kind="RING", count=COUNT, width=WIDTH, height=HEIGHT)
    empty = bpy.context.object
    bpy.context.view_layer.update()
    offset = empty.matrix_world.inverted()
    for thing in (sphere, plane):
        thing.matrix_world = PLACED @ offset @ thing.matrix_world
    empty.matrix_world = PLACED
    bpy.context.view_layer.update()
    empty["offset"] = list(offset.translation)
    return empty


def sent(empty):
    """Cameras, depths [H, W] or None, notes."""
    given = steps.at_once(collected.input_steps(collected.plan(bpy.context, empty)))
    found = [None] * COUNT
    if len(given.inputs) == 3:
        found = [
            one and np.frombuffer(given.blobs[one.digest], "<f4").reshape(one.shape)
            for one in given.inputs[2].depths
        ]
    return given.inputs[0].cameras, found, given.notes


def closed_form(camera, middle):
    """Along the axis to sphere and plane in the capture's own coordinates, [H, W]; infinite beside them."""
    pose = np.array(camera.world_from_camera)
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    x, y = (columns - camera.cx) / camera.fl_x, -(rows - camera.cy) / camera.fl_y
    rays = np.stack([x, y, -np.ones_like(x)], -1) @ pose[:3, :3].T
    eye = pose[:3, 3] - middle
    a, b, c = (rays**2).sum(-1), rays @ eye, eye @ eye - RADIUS**2
    root = b * b - a * c
    ball = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    down = (-RADIUS - eye[2]) / rays[..., 2]
    met = eye + down[..., None] * rays
    inside = (down > 0) & (np.abs(met[..., :2]) < 1.5).all(-1)
    return np.minimum(ball, np.where(inside, down, np.inf))


def rim(expected):
    """Pixels at an edge, where half a thousandth decides what a ray meets."""
    steep = np.zeros(expected.shape, bool)
    value = np.where(np.isinf(expected), 99, expected)
    for axis in (0, 1):
        jump = np.abs(np.diff(value, axis=axis)) > 0.25
        here, there = [slice(None)] * 2, [slice(None)] * 2
        here[axis], there[axis] = slice(0, -1), slice(1, None)
        steep[tuple(here)] |= jump
        steep[tuple(there)] |= jump
    return steep


def test_depths_are_those_of_a_sphere_and_a_plane_in_the_units_of_the_capture(empty) -> None:
    cameras, found, notes = sent(empty)
    assert notes == []
    middle = np.array(empty["offset"])
    for camera, depth in zip(cameras, found, strict=True):
        assert depth.shape == (HEIGHT, WIDTH)
        expected = closed_form(camera, middle)
        plain = ~rim(expected)
        np.testing.assert_array_equal(np.isinf(depth[plain]), np.isinf(expected[plain]))
        there = plain & np.isfinite(expected)
        assert there.sum() > 300
        assert np.abs(depth[there] - expected[there]).max() < 2 * FLAT + 1e-4


def wanted_settings(scene):
    found = {}
    owners = (scene.render, scene.render.image_settings, scene.view_settings, *scene.view_layers)
    for number, owner in enumerate(owners):
        for key, _ in owner.bl_rna.properties.items():
            value = getattr(owner, key)
            if isinstance(value, (str, int, float, bool)):
                found[f"{number}.{key}"] = value
    return found


def unusual(scene):
    """An artist's own files of passes, with a compression that not each depth of colour has."""
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format = "OPEN_EXR_MULTILAYER"
    image.color_depth, image.exr_codec = "16", "B44"
    if hasattr(image, "use_exr_interleave"):
        image.use_exr_interleave = False
    scene.view_layers[0].use_pass_normal = True


def rendered(scene, empty, path):
    camera = captures.cameras(empty)[0]
    pinhole = captures.remembered_lens(camera.data).pinhole
    return depths.render(scene, camera, pinhole, path)


def test_the_scene_is_put_back_whatever_happens(scene, empty, tmp_path, monkeypatch) -> None:
    unusual(scene)
    before = wanted_settings(scene)
    assert not scene.view_layers[0].use_pass_z
    assert np.isfinite(rendered(scene, empty, tmp_path / "a.png")).any()
    assert wanted_settings(scene) == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]

    def fail():
        assert scene.view_layers[0].use_pass_z
        raise RuntimeError("No space left")

    monkeypatch.setattr(depths, "_result", fail)
    with pytest.raises(errors.UserError) as caught:
        rendered(scene, empty, tmp_path / "b.png")
    assert caught.value.code == "output.unusable"
    assert "No space left" in caught.value.sentence
    assert wanted_settings(scene) == before
    assert [path.suffix for path in tmp_path.iterdir()] == [".png", ".png"]


def opacity(path):
    image = bpy.data.images.load(str(path))
    try:
        values = np.empty(WIDTH * HEIGHT * 4, np.float32)
        image.pixels.foreach_get(values)
        return values.reshape(HEIGHT, WIDTH, 4)[::-1, :, 3]
    finally:
        bpy.data.images.remove(image)


@pytest.mark.parametrize("shown", ["first", "second", "active"])
def test_depths_are_of_the_layer_that_the_picture_shows(scene, empty, tmp_path, shown) -> None:
    """One layer has the sphere alone, the other the plane alone."""
    sphere, plane = (thing for thing in scene.objects if thing.type == "MESH")
    other = scene.view_layers.new("Other")
    for thing, layer in ((sphere, scene.view_layers[0]), (plane, other)):
        group = bpy.data.collections.new(thing.name)
        scene.collection.children.link(group)
        for old in list(thing.users_collection):
            old.objects.unlink(thing)
        group.objects.link(thing)
        for one in scene.view_layers:
            one.layer_collection.children[group.name].exclude = one != layer
    if shown == "second":
        scene.view_layers[0].use = False
    if shown == "active":
        scene.render.use_single_layer = True
        bpy.context.window.view_layer = other
    found = rendered(scene, empty, tmp_path / "a.png")
    alpha = opacity(tmp_path / "a.png")
    assert 0.02 < np.isfinite(found).mean() < 0.9
    np.testing.assert_array_equal(np.isfinite(found), alpha > 0.5)
    assert (np.ptp(found[np.isfinite(found)]) > 2 * RADIUS * 2) == (
        shown != "first"
    )  # twice as large in Blender


def test_nothing_is_told_from_what_is_far_with_every_engine() -> None:
    """Cycles gives 1e10 where nothing is, EEVEE nearly the end of the view, others what they like."""
    given = np.array([[3.0, 900.0, 1000.07, 1e10], [np.inf, np.nan, -1.0, 0.0]], np.float32)
    found = depths._plain(given.copy(), depths._nothing("BLENDER_EEVEE_NEXT", 0.1, 1000.0))
    np.testing.assert_array_equal(found, [[3.0, 900.0, np.inf, np.inf], [np.inf, 0, 0, 0]])
    seen = np.array([[3.0, 2200.0, 2309.6386]], np.float32)  # as EEVEE of 4.2 and 5.0 gave the last
    nothing = depths._nothing("BLENDER_EEVEE", 0.1, 2312.0396)
    np.testing.assert_array_equal(depths._plain(seen, nothing), [[3.0, 2200.0, np.inf]])
    assert depths._plain(np.zeros((2, 2), np.float32), nothing) is None
    far = np.array(
        [[4.0, 9e9, 1e10]], np.float32
    )  # a view that begins near and ends far, rounded by EEVEE only
    np.testing.assert_array_equal(
        depths._plain(far, depths._nothing("CYCLES", 1e-6, 1e4)), [[4.0, np.float32(9e9), np.inf]]
    )


class Blind(bpy.types.RenderEngine):
    """An engine that has colours and nothing else."""

    bl_idname = "MAQUETTE_TEST_BLIND"
    bl_label = "Blind"

    def render(self, depsgraph):
        size = depsgraph.scene.render.resolution_x, depsgraph.scene.render.resolution_y
        result = self.begin_result(0, 0, *size)
        result.layers[0].passes["Combined"].rect = [(0.5, 0.2, 0.1, 1.0)] * (size[0] * size[1])
        self.end_result(result)


def test_an_engine_that_says_nothing_of_depth_is_told(scene, empty, tmp_path) -> None:
    bpy.utils.register_class(Blind)
    try:
        scene.render.engine = Blind.bl_idname
        assert rendered(scene, empty, tmp_path / "a.png") is None
        assert (opacity(tmp_path / "a.png") == 1).all()
        _, found, notes = sent(empty)
        assert found == [None] * COUNT
        assert notes == [collected.NO_DEPTHS]
    finally:
        scene.render.engine = "CYCLES"
        bpy.utils.unregister_class(Blind)


def test_depths_are_sent_no_finer_than_is_of_use() -> None:
    whole = np.arange(1500 * 3000, dtype=np.float32).reshape(1500, 3000)
    few = depths.reduced(whole)
    assert few.shape == (256, 512)
    assert np.isin(few, whole).all()
    small = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(depths.reduced(small), small)
