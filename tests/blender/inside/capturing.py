"""Facts about captures, inside Blender: conversions, import, camera sets, export."""

import importlib
import itertools
import json
import os
import shutil
import struct
import time
import zlib
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras import object_utils

MODULE = "bl_ext.user_default.maquette"
camera_models = importlib.import_module(f"{MODULE}.camera_models")
captures = importlib.import_module(f"{MODULE}.captures")
collected = importlib.import_module(f"{MODULE}.collect.cameras")
views = importlib.import_module(f"{MODULE}.collect.views")
photographs = importlib.import_module(f"{MODULE}.apply.photographs")
panels = importlib.import_module(f"{MODULE}.panels")
png = importlib.import_module(f"{MODULE}.png")
pump = importlib.import_module(f"{MODULE}.pump")
tasks = importlib.import_module(f"{MODULE}.tasks")

DATA = Path(os.environ["MAQUETTE_TEST_DATA"])
LEGO = DATA / "lego" / "transforms_train.json"
FOX = DATA / "fox" / "transforms.json"
BUDGET = 0.016  # s that a tick may hold Blender
BLOCKS = ("objects", "cameras", "collections", "images", "meshes", "scenes")


@pytest.fixture(autouse=True)
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=MODULE)
    yield bpy.context.scene
    tasks.cancel()


@pytest.fixture
def cube():
    bpy.ops.mesh.primitive_cube_add(size=2, location=(3, -2, 1))
    return bpy.context.object


def imported(path, **options):
    assert bpy.ops.maquette.capture_import(filepath=str(path), **options) == {"FINISHED"}
    return bpy.context.object


def exported(folder, **options):
    assert bpy.ops.maquette.capture_export(directory=str(folder), **options) == {"FINISHED"}
    return json.loads((Path(folder) / "transforms.json").read_text(encoding="utf-8"))


def poses(fields):
    return np.array([frame["transform_matrix"] for frame in fields["frames"]])


def names():
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in BLOCKS}


def render_settings(scene):
    """Everything of the scene that rendering goes by."""
    found = {"camera": scene.camera and scene.camera.name}
    found["markers"] = [marker.camera and marker.camera.name for marker in scene.timeline_markers]
    owners = (scene.render, scene.render.image_settings, scene.view_settings, scene.display_settings)
    for owner, key in ((o, k) for o in owners for k, _ in o.bl_rna.properties.items()):
        value = getattr(owner, key)
        if isinstance(value, (str, int, float, bool)):
            found[f"{type(owner).__name__}.{key}"] = value
    return found


def read_png(path):
    """u8 [H, W, C] of a PNG file of 8 bits, the top row first."""
    data, begin, packed = path.read_bytes(), 8, b""
    while begin < len(data):
        length, kind = struct.unpack(">I4s", data[begin : begin + 8])
        body = data[begin + 8 : begin + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        packed += body if kind == b"IDAT" else b""
        begin += 12 + length
    channels = {2: 3, 6: 4}[colour]
    assert depth == 8
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    picture = np.zeros((height, width, channels), np.int64)
    for y, row in enumerate(rows):
        above = picture[y - 1] if y else np.zeros((width, channels), np.int64)
        for x, raw in enumerate(row[1:].reshape(width, channels).astype(np.int64)):
            a, b = (picture[y, x - 1] if x else 0 * raw), above[x]
            c = above[x - 1] if x else 0 * raw
            nearest = np.argmin(np.abs(np.stack([b - c, a - c, a + b - 2 * c])), 0)
            paeth = np.choose(nearest, [a, b, c])
            picture[y, x] = (raw + [0 * raw, a, b, (a + b) // 2, paeth][row[0]]) % 256
    return picture


# ---- conversions ----

SHAPES = ((640, 480), (480, 640), (512, 512))
ASPECTS = ((1.0, 1.0), (2.0, 1.0), (1.0, 1.5))
FITS = ("AUTO", "HORIZONTAL", "VERTICAL")
SHIFTS = ((0.0, 0.0), (0.13, -0.21))
POINTS = np.array([[0.3, 0.2, -4.0], [-1.1, 0.6, -5.0], [0.7, -0.9, -3.0]])


def projected(scene, thing):
    """Pixels [N, 2] of POINTS, which are in camera coordinates, as Blender has it."""
    import mathutils

    width = int(scene.render.resolution_x * scene.render.resolution_percentage / 100)
    height = int(scene.render.resolution_y * scene.render.resolution_percentage / 100)
    result = []
    for point in POINTS:
        world = thing.matrix_world.normalized() @ mathutils.Vector(point)
        x, y, _ = object_utils.world_to_camera_view(scene, thing, world)
        result.append((x * width, (1 - y) * height))
    return np.array(result)


def by_pinhole(pinhole):
    x, y, z = POINTS.T
    u = pinhole.fl_x * x / -z + pinhole.cx
    return np.stack([u, pinhole.fl_y * -y / -z + pinhole.cy], -1)


def new_camera(scene):
    thing = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(thing)
    thing.location, thing.rotation_euler = (1, -7, 2), (1.2, 0.1, 0.4)
    bpy.context.view_layer.update()
    return thing


def test_intrinsics_are_those_that_blender_renders_with(scene) -> None:
    thing = new_camera(scene)
    camera, render = thing.data, scene.render
    for shape, aspect, fit, shift, percent, sensor in itertools.product(
        SHAPES, ASPECTS, FITS, SHIFTS, (100, 50), ((36.0, 24.0), (22.3, 30.0))
    ):
        render.resolution_x, render.resolution_y = shape
        render.resolution_percentage = percent
        render.pixel_aspect_x, render.pixel_aspect_y = aspect
        camera.sensor_fit, camera.lens = fit, 41.0
        camera.sensor_width, camera.sensor_height = sensor
        camera.shift_x, camera.shift_y = shift
        lens, _ = collected.lens_of(scene, thing)
        off = np.abs(by_pinhole(lens.pinhole) - projected(scene, thing)).max()
        assert off < 0.05, (shape, aspect, fit, shift, percent, sensor, off)
        again = camera_models.pinhole_from_lens(camera_models.lens_from_pinhole(lens.pinhole))
        assert again.is_near(lens.pinhole)


PINHOLES = [
    (640, 480, 500.0, 500.0, 320.0, 240.0),
    (480, 640, 700.0, 700.0, 250.0, 300.0),
    (512, 512, 100.0, 300.0, 256.0, 256.0),
    (640, 480, 900.0, 450.0, 300.0, 260.0),
    (360, 640, 458.5, 458.2, 184.9, 321.8),
    (333, 77, 20.0, 21.0, 100.0, 60.0),
    (800, 600, 15.0, 15.0, 400.0, 300.0),
    (64, 64, 90000.0, 90000.0, 32.0, 32.0),
]


@pytest.mark.parametrize("numbers", PINHOLES)
def test_blender_renders_with_the_intrinsics_of_a_data_set(scene, tmp_path, numbers) -> None:
    pinhole = camera_models.Pinhole(*numbers)
    pose = np.array(new_camera(scene).matrix_world)
    write_data_set(
        tmp_path / "one", [pose], dict(zip(("w", "h", "fl_x", "fl_y", "cx", "cy"), numbers, strict=True))
    )
    empty = imported(tmp_path / "one", set_resolution=True)
    thing = captures.cameras(empty)[0]
    bpy.context.view_layer.update()
    assert np.abs(np.array(thing.matrix_world) - pose).max() < 1e-5
    allowed = max(0.05, 1e-6 * pinhole.fl_x)  # a lens of 90000 px shows these points far outside
    assert np.abs(by_pinhole(pinhole) - projected(scene, thing)).max() < allowed
    known, changed = collected.lens_of(scene, thing)
    assert (known.pinhole, changed) == (pinhole, False)


def write_data_set(folder, matrices, header, **more):
    (folder / "images").mkdir(parents=True)
    frames = []
    for number, matrix in enumerate(matrices):
        name = f"images/{number:03}.png"
        (folder / name).write_bytes(png.encode(np.full((8, 8, 4), number % 256, np.uint8)))
        frames.append({"file_path": name, "transform_matrix": np.array(matrix).tolist(), **more})
    fields = {**header, "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(fields), encoding="utf-8")
    return fields


def many(folder, count):
    angles = np.linspace(0, 6, count)
    matrices = np.tile(np.eye(4), (count, 1, 1))
    matrices[:, :3, 3] = np.stack([np.cos(angles), np.sin(angles), angles], -1)
    matrices[:, :3, :3] = [[[1, 0, 0], [0, 0, -1], [0, 1, 0]]] * count
    return write_data_set(folder, matrices, {"w": 8, "h": 8, "fl_x": 9.0, "note": "kept"}, time=0.5)


# ---- import and export again ----


def test_fox_comes_out_as_it_went_in(tmp_path) -> None:
    empty = imported(FOX)
    given = json.loads(FOX.read_text(encoding="utf-8"))
    assert (empty.name, len(captures.cameras(empty))) == ("fox", 50)
    assert [c.name for c in empty.users_collection] == ["fox"]
    camera = captures.cameras(empty)[0].data
    behind = camera.background_images[0]
    assert (Path(behind.image.filepath).name, behind.alpha) == ("0001.jpg", 0.5)
    assert behind.image.packed_file is None
    assert not behind.image.has_data
    assert camera["maquette_k1"] == given["k1"]
    assert "distort" in empty[captures.NOTES]
    fields = exported(tmp_path / "out")
    assert fields == given
    assert (tmp_path / "out" / "images" / "0001.jpg").read_bytes() == (
        FOX.parent / "images" / "0001.jpg"
    ).read_bytes()
    assert len(list((tmp_path / "out").rglob("*"))) == 52


def test_matrices_and_intrinsics_are_in_blender_and_not_only_remembered(scene, tmp_path) -> None:
    empty = imported(FOX)
    given = json.loads(FOX.read_text(encoding="utf-8"))
    for thing in captures.cameras(empty):
        for key in (captures.ENTRY, captures.LENS):
            del thing.data[key]
    pinhole = camera_models.Pinhole(*(given[k] for k in ("w", "h", "fl_x", "fl_y", "cx", "cy")))
    settings = camera_models.lens_from_pinhole(pinhole)
    scene.render.resolution_x, scene.render.resolution_y = given["w"], given["h"]
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = (
        settings.pixel_aspect_x,
        settings.pixel_aspect_y,
    )
    fields = exported(tmp_path / "out", pictures="NONE")
    assert np.abs(poses(fields) - poses(given)).max() < 1e-5
    for key in ("w", "h", "fl_x", "fl_y", "cx", "cy"):
        found = [frame.get(key, fields.get(key)) for frame in fields["frames"]]
        assert np.abs(np.array(found) - given[key]).max() < 1e-3, key


def test_lego_comes_out_as_a_transforms_json(tmp_path) -> None:
    empty = imported(LEGO)
    given = json.loads(LEGO.read_text(encoding="utf-8"))
    assert len(captures.cameras(empty)) == 100
    assert np.allclose(empty.matrix_world, np.eye(4))
    assert not bpy.data.images  # so many photographs are shown for the active camera only
    fields = exported(tmp_path / "out")
    assert np.array_equal(poses(fields), poses(given))
    assert (fields["camera_angle_x"], fields["up"]) == (given["camera_angle_x"], [0, 0, 1])
    assert fields["background"] == "white"
    files = [frame["file_path"] for frame in fields["frames"]]
    assert files[0] == "train/r_0.png"
    assert fields["train_filenames"] == files
    assert all((tmp_path / "out" / file).is_file() for file in files)
    lens = captures.remembered_lens(captures.cameras(empty)[0].data)
    assert abs(lens.pinhole.fl_x - 555.5555) < 1e-3
    assert (lens.pinhole.w, lens.pinhole.cx) == (400, 200)


def test_a_folder_of_synthetic_files_gives_all_splits(tmp_path) -> None:
    empty = imported(LEGO.parent)
    assert len(captures.cameras(empty)) == 135
    fields = exported(tmp_path / "out", pictures="NONE")
    assert {key: len(fields[f"{key}_filenames"]) for key in ("train", "val", "test")} == {
        "train": 100,
        "val": 10,
        "test": 25,
    }


def test_moving_turning_and_scaling_the_empty_changes_nothing_of_the_data_set(tmp_path) -> None:
    empty = imported(FOX)
    before = exported(tmp_path / "before", pictures="NONE")
    empty.location, empty.rotation_euler, empty.scale = (1000, -20, 3), (0.3, 1.1, -2), (2.5, 2.5, 2.5)
    parent = bpy.data.objects.new("Parent", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.location, parent.scale = (5, 5, 5), (0.1, 0.1, 0.1)
    empty.parent = parent
    assert exported(tmp_path / "after", pictures="NONE") == before
    bpy.context.view_layer.update()
    # and the field is placed by it
    scene_from_blender = captures.scene_from_blender(empty)
    thing = captures.cameras(empty)[3]
    there = camera_models.pose(scene_from_blender @ np.array(thing.matrix_world), "it")
    assert np.abs(there - before["frames"][3]["transform_matrix"]).max() < 2e-3  # single precision at 1000


def test_what_is_changed_in_blender_is_what_comes_out(tmp_path) -> None:
    empty = imported(FOX)
    moved, longer, straight, gone = captures.cameras(empty)[:4]
    moved.location.x += 1.0
    longer.data.lens *= 2
    straight.data["maquette_k1"] = 0.0
    bpy.data.objects.remove(gone)
    given = json.loads(FOX.read_text(encoding="utf-8"))
    fields = exported(tmp_path / "out", pictures="NONE")
    assert len(fields["frames"]) == 49
    assert fields["fl_x"] == given["fl_x"]
    step = poses(fields)[0] - poses(given)[0]
    assert abs(step[0, 3] - 1.0) < 1e-5
    assert abs(fields["frames"][1]["fl_x"] - 2 * given["fl_x"]) < 1e-3
    assert fields["frames"][1]["k1"] == given["k1"]
    assert (fields["frames"][2]["k1"], fields["frames"][2]["k2"]) == (0.0, given["k2"])
    assert fields["frames"][3:] == given["frames"][4:]


@pytest.mark.parametrize("scale", [(1, 2, 1), (1, 1, -1), (0, 0, 0)])
def test_a_scale_that_a_capture_cannot_have_is_refused(tmp_path, scale) -> None:
    empty = imported(FOX)
    empty.scale = scale
    with pytest.raises(RuntimeError, match=r"not scaled equally|mirrored|no size"):
        bpy.ops.maquette.capture_export(directory=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_capture_stands_upright(tmp_path) -> None:
    write_data_set(tmp_path / "y", [np.eye(4)], {"w": 8, "h": 8, "fl_x": 9.0, "up": [0, 3, 0]})
    write_data_set(tmp_path / "guessed", [np.eye(4)], {"w": 8, "h": 8, "fl_x": 9.0})
    for name in ("y", "guessed"):
        empty = imported(tmp_path / name)
        bpy.context.view_layer.update()
        turned = np.array(empty.matrix_world)[:3, :3]
        assert np.allclose(turned @ (0, 1, 0), (0, 0, 1), atol=1e-6)
        fields = exported(tmp_path / f"{name}_out")
        assert fields == json.loads((tmp_path / name / "transforms.json").read_text(encoding="utf-8"))
    assert "+y is up" in empty[captures.NOTES]


def test_the_scene_gets_the_resolution_only_when_asked(scene) -> None:
    before = render_settings(scene)
    imported(FOX)
    assert render_settings(scene) == before
    imported(FOX, set_resolution=True)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (360, 640)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "no JSON object"),
        ("{}", "no list of frames"),
        ('{"frames": []}', "names no pictures"),
        ('{"frames": [{"file_path": "/a.png"}]}', "absolute path"),
        ('{"fl_x": NaN, "frames": [{}]}', "NaN"),
        ('{"fl_x": 9, "frames": [{"file_path": "a", "transform_matrix": [[1]]}]}', "4 x 4"),
        ('{"fl_x": 9, "w": 8, "h": 8, "frames": [{"file_path": "a", "transform_matrix": %s}]}', "mirrored"),
        ('{"frames": [{"file_path": "a", "transform_matrix": %s}]}', "no picture size"),
        ('{"w": 8, "h": 8, "frames": [{"file_path": "a", "transform_matrix": %s}]}', "no focal length"),
        (
            '{"camera_model": "EQUIRECTANGULAR", "frames": [{"file_path": "a", "transform_matrix": %s}]}',
            "model",
        ),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence_and_changes_nothing(tmp_path, text, sentence) -> None:
    before = names()
    matrix = np.eye(4)
    matrix[0, 0] = -1 if sentence == "mirrored" else 1
    path = tmp_path / "transforms.json"
    path.write_text(text.replace("%s", json.dumps(matrix.tolist())), encoding="utf-8")
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.maquette.capture_import(filepath=str(path))
    assert names() == before
    with pytest.raises(RuntimeError, match="cannot be read"):
        bpy.ops.maquette.capture_import(filepath=str(tmp_path / "nothing.json"))


def test_one_undo_removes_the_import() -> None:
    bpy.ops.ed.undo_push(message="before")
    before = names()
    bpy.ops.maquette.capture_import("EXEC_DEFAULT", True, filepath=str(FOX))
    assert len(bpy.data.cameras) == 50
    bpy.ops.ed.undo()
    assert names() == before
    bpy.ops.ed.redo()
    assert len(captures.cameras(bpy.data.objects["fox"])) == 50


# ---- in ticks ----


def ticks(limit=60.0):
    """Ticks until nothing is under way; how long each took."""
    took, until = [], time.monotonic() + limit
    while tasks.running() is not None:
        assert time.monotonic() < until
        begun = time.perf_counter()
        pump.tick()
        took.append(time.perf_counter() - begun)
    return took


def test_two_hundred_cameras_are_imported_in_ticks_and_undone_in_one_step(tmp_path) -> None:
    many(tmp_path / "many", 200)
    bpy.ops.ed.undo_push(message="before")
    before = names()
    assert bpy.ops.maquette.capture_import(filepath=str(tmp_path / "many"), in_steps=True) == {"CANCELLED"}
    pump.tick()
    assert bpy.context.window_manager.maquette.task == "The import of 'many'"
    assert 0 < bpy.context.window_manager.maquette.task_done < 1
    assert not bpy.context.scene.objects  # nothing is seen until all is there
    took = ticks()
    assert len(took) > 2
    # the middle of all, as a shared computer lets any single one wait
    assert float(np.median(took)) < BUDGET, took
    assert len(captures.cameras(bpy.data.objects["many"])) == 200
    assert bpy.context.object.name == "many"
    assert not bpy.context.window_manager.maquette.error
    bpy.ops.ed.undo()
    assert names() == before


def test_an_import_that_is_cancelled_leaves_nothing(tmp_path) -> None:
    many(tmp_path / "many", 60)
    before = names()
    bpy.ops.maquette.capture_import(filepath=str(tmp_path / "many"), in_steps=True)
    tasks.advance(0.0)
    assert names() != before
    with pytest.raises(RuntimeError, match="under way"):
        bpy.ops.maquette.capture_import(filepath=str(tmp_path / "many"))
    assert bpy.ops.maquette.task_cancel() == {"FINISHED"}
    assert names() == before
    assert not bpy.context.window_manager.maquette.task


def test_an_import_is_whole_in_a_file_saved_meanwhile_and_ended_by_undo(tmp_path) -> None:
    many(tmp_path / "many", 100)
    bpy.ops.maquette.capture_import(filepath=str(tmp_path / "many"), in_steps=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    assert len(captures.cameras(bpy.data.objects["many"])) == 100
    bpy.ops.ed.undo_push(message="before")
    bpy.data.objects.new("something", None)
    bpy.ops.ed.undo_push(message="something")
    bpy.ops.maquette.capture_import(filepath=str(tmp_path / "many"), in_steps=True)
    bpy.ops.ed.undo()
    assert tasks.running() is None
    assert "ended by undo" in bpy.context.window_manager.maquette.error
    assert len(bpy.data.cameras) == 100


def test_of_many_cameras_the_active_one_shows_its_photograph(tmp_path) -> None:
    many(tmp_path / "many", 70)
    things = captures.cameras(imported(tmp_path / "many"))
    assert not bpy.data.images
    for thing in things[:3]:
        bpy.context.view_layer.objects.active = thing
        pump.tick()
        assert len(thing.data.background_images) == 1
        assert len(bpy.data.images) == 1


# ---- camera sets ----


@pytest.mark.parametrize("kind", ["RING", "DOME", "VIEW"])
@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 96)])
def test_a_set_looks_at_the_object_which_fills_the_picture(scene, cube, kind, size) -> None:
    width, height = size
    options = {"kind": kind, "count": 7, "width": width, "height": height, "direction": (0, -1, 0.5)}
    assert bpy.ops.maquette.cameras_add(**options) == {"FINISHED"}
    empty = bpy.context.object
    assert (empty.name, len(captures.cameras(empty))) == ("Capture", 7)
    bpy.context.view_layer.update()
    assert np.allclose(empty.matrix_world.translation, cube.location)
    scene.render.resolution_x, scene.render.resolution_y = size
    corners = [cube.matrix_world @ vertex.co for vertex in cube.data.vertices]
    for thing in captures.cameras(empty):
        seen = np.array([object_utils.world_to_camera_view(scene, thing, corner) for corner in corners])
        middle = np.array(object_utils.world_to_camera_view(scene, thing, cube.location))
        assert np.abs(middle[:2] - 0.5).max() < 1e-4
        short = 1 if width > height else 0
        assert 0.5 < np.ptp(seen[:, short]) < 0.85
        assert ((seen[:, :2] > 0.05) & (seen[:, :2] < 0.95)).all()


def test_the_same_settings_give_the_same_cameras(cube) -> None:
    found = []
    for _ in range(2):
        bpy.context.view_layer.objects.active = cube
        cube.select_set(True)
        bpy.ops.maquette.cameras_add(kind="DOME", count=9)
        found.append([list(map(tuple, t.matrix_basis)) for t in captures.cameras(bpy.context.object)])
    assert found[0] == found[1]


def test_a_ring_is_rendered_to_a_data_set_and_the_scene_put_back(scene, cube, tmp_path) -> None:
    red(cube)
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 4
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    scene.collection.objects.link(sun)
    unusual(scene)
    cube.select_set(True)
    bpy.ops.maquette.cameras_add(kind="RING", count=6, elevation=0.4, width=32, height=32)
    before = render_settings(scene)
    fields = exported(tmp_path / "ring")
    assert render_settings(scene) == before
    assert (fields["w"], fields["h"], fields["cx"], fields["up"]) == (32, 32, 16, [0, 0, 1])
    assert abs(fields["fl_x"] - 50 / 36 * 32) < 1e-3
    assert fields["background"] == "white"
    assert len(fields["frames"]) == 6
    for frame in fields["frames"]:
        picture = read_png(tmp_path / "ring" / frame["file_path"])
        assert picture.shape == (32, 32, 4)
        assert picture[0, 0].tolist() == [0, 0, 0, 0]
        assert picture[16, 16, 3] == 255
        assert picture[16, 16, 0] > 4 * picture[16, 16, 1:3].max()
        assert 0.1 < (picture[..., 3] == 255).mean() < 0.7
    place = np.array(poses(fields))[:, :3, 3]
    assert np.ptp(np.linalg.norm(place, axis=1)) < 1e-5  # in the capture's own coordinates, round the origin


def red(thing):
    material = bpy.data.materials.new("Red")
    if material.node_tree is None:
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (1, 0, 0, 1)
    shader.inputs["Emission Color"].default_value = (1, 0, 0, 1)
    shader.inputs["Emission Strength"].default_value = 1.0
    shader.inputs["Specular IOR Level"].default_value = 0.0
    thing.data.materials.append(material)


def unusual(scene):
    """Settings that would spoil a data set, and that are easily lost."""
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "VIDEO"
    scene.render.image_settings.file_format = "FFMPEG"
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Punchy"
    scene.view_settings.exposure, scene.view_settings.gamma = 1.5, 1.3
    scene.view_settings.use_curve_mapping = True
    scene.render.resolution_percentage = 37
    scene.render.pixel_aspect_x = 1.7
    scene.render.dither_intensity = 2.0
    scene.render.use_border = scene.render.use_stamp = True
    scene.render.filepath = "//somewhere/"
    other = bpy.data.objects.new("Bound", bpy.data.cameras.new("Bound"))
    scene.collection.objects.link(other)
    scene.timeline_markers.new("Bound", frame=scene.frame_current).camera = other


def test_settings_are_put_back_when_rendering_fails(scene, cube, tmp_path, monkeypatch) -> None:
    unusual(scene)
    bpy.ops.maquette.cameras_add(count=2)
    before = render_settings(scene)
    camera = captures.cameras(bpy.context.object)[0]
    pinhole = captures.remembered_lens(camera.data).pinhole

    def fail():
        with views.set_up(scene, camera, pinhole, tmp_path / "a.png"):
            assert scene.view_settings.view_transform == "Standard"
            assert (scene.camera, scene.render.image_settings.file_format) == (camera, "PNG")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert render_settings(scene) == before


def quick_set(scene, cube, count=4):
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    bpy.ops.maquette.cameras_add(kind="DOME", count=count, width=16, height=16)


def test_an_export_is_taken_in_ticks_and_a_cancelled_one_leaves_nothing(scene, cube, tmp_path) -> None:
    quick_set(scene, cube)
    before, blocks = render_settings(scene), names()
    out = tmp_path / "out"
    bpy.ops.maquette.capture_export(directory=str(out), in_steps=True)
    pump.tick()
    pump.tick()
    live = bpy.context.window_manager.maquette
    assert (render_settings(scene), live.task_done) == (before, 0.5)
    bpy.ops.maquette.task_cancel()
    assert not out.exists()
    bpy.ops.maquette.capture_export(directory=str(out), in_steps=True)
    ticks()
    assert not live.error
    assert len(list(out.rglob("*.png"))) == 4
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []
    assert render_settings(scene) == before
    assert [n for n in names()["images"] if n not in blocks["images"]] in ([], ["Render Result"])
    with pytest.raises(RuntimeError, match="holds a data set already"):
        bpy.ops.maquette.capture_export(directory=str(out))
    exported(out, overwrite=True)


def test_selected_cameras_are_exported_in_blenders_coordinates(scene, cube, tmp_path) -> None:
    scene.render.resolution_x, scene.render.resolution_y = 24, 16
    scene.render.resolution_percentage = 100
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    thing = new_camera(scene)
    cube.select_set(False)
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    fields = exported(tmp_path / "out")
    assert np.abs(poses(fields)[0] - np.array(thing.matrix_world)).max() < 1e-6
    assert (fields["w"], fields["h"]) == (24, 16)
    assert read_png(tmp_path / "out" / "images" / "Camera.png").shape == (16, 24, 4)
    thing.data.type = "ORTHO"
    with pytest.raises(RuntimeError, match="not a perspective camera"):
        bpy.ops.maquette.capture_export(directory=str(tmp_path / "other"))


def test_photographs_of_a_capture_can_be_rendered_anew_without_distortion(scene, tmp_path) -> None:
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    empty = imported(FOX)
    for thing in captures.cameras(empty)[1:]:
        bpy.data.objects.remove(thing)
    fields = exported(tmp_path / "out", pictures="RENDER")
    assert (fields["frames"][0]["file_path"], fields["camera_model"]) == ("images/0001.png", "PINHOLE")
    assert not any(key in fields or key in fields["frames"][0] for key in ("k1", "k2", "p1", "p2"))
    assert png.size((tmp_path / "out" / "images" / "0001.png").read_bytes()) == (360, 640)


def test_photographs_that_are_gone_are_told(tmp_path) -> None:
    many(tmp_path / "many", 3)
    imported(tmp_path / "many")
    shutil.rmtree(tmp_path / "many" / "images")
    with pytest.raises(RuntimeError, match="3 of 3 photographs"):
        bpy.ops.maquette.capture_export(directory=str(tmp_path / "out"))


def test_what_is_missing_is_said_before_anything_is_done(scene, cube, tmp_path) -> None:
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.maquette.capture_export(directory=str(tmp_path))
    bpy.ops.maquette.cameras_add(count=2)
    with pytest.raises(RuntimeError, match="not saved yet"):
        bpy.ops.maquette.capture_export(directory="//out")
    with pytest.raises(RuntimeError, match="No file or folder"):
        bpy.ops.maquette.capture_export()
    bpy.ops.object.select_all(action="DESELECT")
    with pytest.raises(RuntimeError, match="Select an object"):
        bpy.ops.maquette.cameras_add(count=2)


# ---- panel ----


class Drawn:
    """A layout that remembers what was drawn."""

    def __init__(self):
        self.texts, self.operators = [], []

    def label(self, text="", **_):
        self.texts.append(text)

    def operator(self, name, **options):
        self.operators.append((name, options.get("text")))
        return type("Options", (), {})()

    def progress(self, text="", **_):
        self.texts.append(text)

    def __getattr__(self, name):
        return lambda *_, **__: self


def test_the_panel_says_what_can_be_done(tmp_path) -> None:
    panel = type("Panel", (), {"layout": Drawn()})()
    panels.MAQUETTE_PT_captures.draw(panel, bpy.context)
    assert "Select an object to put cameras" in " ".join(panel.layout.texts)
    imported(FOX)
    bpy.ops.maquette.capture_import(filepath=str(FOX), in_steps=True)
    pump.mirror_task()
    panel.layout = Drawn()
    panels.MAQUETTE_PT_captures.draw(panel, bpy.context)
    assert "fox: 50 cameras" in panel.layout.texts
    assert "The import of 'fox'" in panel.layout.texts
    assert [name for name, _ in panel.layout.operators] == [
        "maquette.capture_import",
        "maquette.scene_open",
        *["maquette.cameras_add"] * 3,
        "maquette.capture_export",
        "maquette.task_cancel",
    ]
