"""Facts about radiance fields inside Blender, without a server: what is sent, and what comes back."""

import dataclasses
import importlib
import json
import tempfile
import time
from pathlib import Path

import bpy
import mathutils
import numpy as np
import pytest

MODULE = "bl_ext.user_default.maquette"
backgrounds = importlib.import_module(f"{MODULE}.apply.backgrounds")
cameras = importlib.import_module(f"{MODULE}.collect.cameras")
edited_files = importlib.import_module(f"{MODULE}.edited")
edited_pictures = importlib.import_module(f"{MODULE}.apply.edited_pictures")
photographs = importlib.import_module(f"{MODULE}.apply.photographs")
camera_models = importlib.import_module(f"{MODULE}.camera_models")
captures = importlib.import_module(f"{MODULE}.captures")
edited_views = importlib.import_module(f"{MODULE}.collect.edited_views")
collected = importlib.import_module(f"{MODULE}.collect.capture")
extracted = importlib.import_module(f"{MODULE}.apply.extracted")
field = importlib.import_module(f"{MODULE}.apply.field")
jobs = importlib.import_module(f"{MODULE}.jobs")
live_render = importlib.import_module(f"{MODULE}.live_render")
live_view = importlib.import_module(f"{MODULE}.apply.live_view")
messages = importlib.import_module(f"{MODULE}.wire.messages")
edit_panel = importlib.import_module(f"{MODULE}.edit_panel")
editing = importlib.import_module(f"{MODULE}.methods.instruct_nerf2nerf")
methods = importlib.import_module(f"{MODULE}.methods.reconstruct")
panels = importlib.import_module(f"{MODULE}.panels")
paths = importlib.import_module(f"{MODULE}.collect.paths")
png = importlib.import_module(f"{MODULE}.png")
pump = importlib.import_module(f"{MODULE}.pump")
session = importlib.import_module(f"{MODULE}.session")
steps = importlib.import_module(f"{MODULE}.steps")
trial = importlib.import_module(f"{MODULE}.apply.trial")
targets = importlib.import_module(f"{MODULE}.target")
thumbnails = importlib.import_module(f"{MODULE}.thumbnails")

PLACED = mathutils.Matrix.LocRotScale((4, -1, 2), mathutils.Euler((0.3, -0.2, 1.1)), (2, 2, 2))


@pytest.fixture(autouse=True)
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=MODULE)
    yield bpy.context.scene
    live_render.stop()


@pytest.fixture
def empty(scene):
    """A set of three cameras round a cube, which stands at (3, -2, 1)."""
    bpy.ops.mesh.primitive_cube_add(size=2, location=(3, -2, 1))
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    bpy.ops.maquette.cameras_add(kind="RING", count=3, width=16, height=12)
    return bpy.context.object


def colour(red, width=16, height=12):
    picture = np.full((height, width, 4), 255, np.uint8)
    picture[..., 0] = red
    return png.encode(picture)


def world(thing):
    bpy.context.view_layer.update()
    return np.array(thing.matrix_world, np.float64)


# ---- what is sent ----


def test_views_of_a_camera_set_are_rendered_and_sent_where_the_capture_has_them(empty) -> None:
    own = [np.array(thing.matrix_basis) for thing in captures.cameras(empty)]
    empty.matrix_world = PLACED
    plan = collected.plan(bpy.context, empty)
    assert (plan.rendered, plan.size) == (3, 3)
    given = steps.at_once(collected.input_steps(plan))
    cameras, images, depths = given.inputs
    for camera, pose in zip(cameras.cameras, own, strict=True):
        np.testing.assert_allclose(camera.world_from_camera, pose, atol=1e-5)
        assert (camera.width, camera.height, camera.model, camera.split) == (16, 12, "pinhole", "train")
    assert (cameras.name, cameras.up, cameras.background) == (empty.name, (0, 0, 1), "white")
    assert images.masks == ()
    assert [one.shape for one in depths.depths] == [(12, 16)] * 3
    for image in images.images:
        assert png.size(bytes(given.blobs[image.digest])) == (16, 12)
    assert not {image.name for image in bpy.data.images} - {"Render Result"}


def data_set(folder, **more):
    """Two photographs, the second with a mask, by lenses that distort."""
    (folder / "images").mkdir(parents=True)
    for number in range(2):
        (folder / "images" / f"{number}.png").write_bytes(colour(50 * number))
    (folder / "mask.png").write_bytes(colour(255))
    frames = []
    for number in range(2):
        pose = np.eye(4)
        pose[:3, 3] = (number, 0, 5)
        frames.append({"file_path": f"images/{number}.png", "transform_matrix": pose.tolist()})
    frames[1]["mask_path"] = "mask.png"
    header = {"w": 16, "h": 12, "fl_x": 20.0, "k1": 0.1, "p2": 0.01, "up": [0, 1, 0], **more}
    (folder / "transforms.json").write_text(json.dumps({**header, "frames": frames}), encoding="utf-8")
    bpy.ops.maquette.capture_import(filepath=str(folder))
    return bpy.context.object


def test_photographs_are_sent_as_they_came(scene, tmp_path) -> None:
    box = [[-1, -2, -3], [1, 2, 3]]
    empty = data_set(
        tmp_path / "set", near=0.5, far=9, background="black", aabb=box, test_filenames=["images/1.png"]
    )
    plan = collected.plan(bpy.context, empty)
    assert plan.rendered == 0
    given = steps.at_once(collected.input_steps(plan))
    cameras, images = given.inputs
    for number, image in enumerate(images.images):
        data = (tmp_path / "set" / "images" / f"{number}.png").read_bytes()
        assert given.blobs[image.digest].read(0, image.size) == data
    assert images.masks[0] is None
    assert images.masks[1].size == len(colour(255))
    assert [camera.name for camera in cameras.cameras] == ["images/0.png", "images/1.png"]
    assert [camera.split for camera in cameras.cameras] == ["train", "test"]
    assert cameras.cameras[0].distortion == (0.1, 0, 0, 0, 0, 0.01)
    assert cameras.cameras[0].model == "opencv"
    np.testing.assert_allclose(cameras.up, (0, 1, 0))
    assert (cameras.near, cameras.far, cameras.background) == (0.5, 9, "black")
    assert (cameras.low, cameras.high) == (tuple(box[0]), tuple(box[1]))


def test_what_cannot_be_learnt_from_is_said_before_anything_is_sent(empty, tmp_path) -> None:
    empty.scale.z = 3
    with pytest.raises(RuntimeError, match="not scaled equally"):
        bpy.ops.maquette.reconstruct()
    empty.scale.z = 1
    bpy.data.batch_remove(list(empty.children))
    with pytest.raises(RuntimeError, match="has no cameras"):
        bpy.ops.maquette.reconstruct()
    other = data_set(tmp_path / "set")
    (tmp_path / "set" / "images" / "0.png").unlink()
    bpy.context.view_layer.objects.active = other
    with pytest.raises(RuntimeError, match="photographs are not in their place"):
        bpy.ops.maquette.reconstruct()
    assert not bpy.context.window_manager.maquette.jobs
    for operator in (bpy.ops.maquette.render_views, bpy.ops.maquette.extract_mesh):
        with pytest.raises(RuntimeError, match="no radiance field"):
            operator()
    scene = bpy.context.scene
    scene.camera = captures.cameras(other)[0]
    with pytest.raises(RuntimeError, match="no radiance field yet"):
        bpy.ops.maquette.live_render()


def test_a_camera_that_is_removed_meanwhile_ends_the_collecting_with_a_sentence(empty) -> None:
    work = collected.input_steps(collected.plan(bpy.context, empty))
    next(work)
    bpy.data.objects.remove(captures.cameras(empty)[1])
    with pytest.raises(Exception, match="removed or renamed"):
        steps.at_once(work)


@pytest.fixture
def nobody():
    """The address of no server: what is collected here goes on without one."""
    chosen = bpy.context.preferences.addons[MODULE].preferences
    chosen.address = "127.0.0.1:9"
    yield
    chosen.property_unset("address")
    pump.running().close()
    bpy.context.window_manager.maquette.jobs.clear()


def folders_of_views():
    return {path.name for path in Path(tempfile.gettempdir()).glob("maquette-views-*")}


@pytest.mark.parametrize("ending", ["cancel", "load", "disconnect"])
def test_rendering_views_ends_between_two_pictures_and_leaves_nothing(
    empty, nobody, ending, tmp_path
) -> None:
    before = folders_of_views()
    assert bpy.ops.maquette.reconstruct() == {"FINISHED"}
    job = list(pump.running().jobs.values())[-1]
    until = time.monotonic() + 60
    while job.step < 1:
        assert time.monotonic() < until
        pump.tick()
    assert (job.state, job.stage, job.total) == ("sending", "rendering views", 3)
    assert len(folders_of_views() - before) == 1
    if ending == "cancel":
        bpy.ops.maquette.cancel(request_id=job.request_id)
    elif ending == "load":
        bpy.ops.wm.read_homefile(use_empty=True)
    else:
        pump.running().close()
    assert job.state == ("failed" if ending == "disconnect" else "cancelled")
    assert folders_of_views() == before
    assert job.step < 3


def test_a_moving_camera_is_read_in_every_frame_and_the_scene_stays_in_its_own(scene, empty) -> None:
    empty.matrix_world = PLACED
    thing = bpy.data.objects.new("Moving", bpy.data.cameras.new("Moving"))
    scene.collection.objects.link(thing)
    for frame, x in ((2, 1.0), (4, 5.0)):
        thing.location = (x, 0, 0)
        thing.keyframe_insert("location", frame=frame)
    scene.frame_start, scene.frame_end = 2, 4
    scene.frame_set(3, subframe=0.5)
    work = paths.moving_steps(scene.name, empty.name, "Moving", paths.frame_numbers(scene))
    given = None
    while given is None:
        try:
            next(work)
            assert (scene.frame_current, round(scene.frame_subframe, 3)) == (3, 0.5)
        except StopIteration as end:
            given = end.value
    places = np.array([np.array(c.world_from_camera)[:3, 3] for c in given.cameras])
    in_blender = places @ np.array(PLACED)[:3, :3].T + np.array(PLACED)[:3, 3]
    np.testing.assert_allclose(in_blender[[0, 2]], [[1, 0, 0], [5, 0, 0]], atol=1e-5)
    assert 1 < in_blender[1, 0] < 5


def test_settings_become_what_the_server_reads(scene) -> None:
    settings = scene.maquette.reconstruct
    assert methods.params(settings) == {"field": "grid", "bounds": "auto", "reduce": 1, "appearance": False}
    settings.budget, settings.steps, settings.appearance = "STEPS", 200, True
    assert methods.params(settings)["steps"] == 200
    assert methods.params(settings)["appearance"] is True
    settings.budget, settings.seconds = "SECONDS", 30
    assert (methods.params(settings)["seconds"], "steps" in methods.params(settings)) == (30, False)
    settings.field, settings.use_preset, settings.preset = "mip", True, "fast"
    found = methods.params(settings)
    assert (found["field"], found["preset"], "appearance" in found) == ("mip", "fast", False)


def test_the_instruction_becomes_what_the_server_reads(scene) -> None:
    settings = scene.maquette.instruct_nerf2nerf
    settings.prompt = "make it blue"
    assert editing.params(settings) == {"prompt": "make it blue", "preset": "joint", "keep": True}
    settings.budget, settings.seconds, settings.use_views, settings.views = "SECONDS", 30, True, 6
    found = editing.params(settings)
    assert (found["seconds"], found["views"], "guidance_scale" in found) == (30, 6, False)


# ---- what comes back ----


def test_the_empty_knows_its_field_after_reload(empty, tmp_path) -> None:
    field.keep(empty, "job-1", b'{"id": "a-scene"}', {"seed": 3})
    path = str(tmp_path / "file.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    found = bpy.data.objects["Capture"]
    assert (found[captures.SCENE], found[captures.SCENE_ID]) == ("job-1", "a-scene")
    assert json.loads(found[captures.SCENE_TOLD]) == {"seed": 3}


def edited(empty, job, name, moments=(0, 40, 90)):
    field.keep(empty, job, json.dumps({"id": job, "moments": list(moments)}).encode(), {}, name)


def test_every_edit_is_a_version_and_one_is_shown(empty) -> None:
    field.keep(empty, "job-1", b'{"id": "a-scene"}', {})
    edited(empty, "job-2", "make it blue")
    edited(empty, "job-3", "make it red")
    assert [(one.job, one.name) for one in captures.versions(empty)] == [
        ("job-1", "Reconstruction"),
        ("job-2", "make it blue"),
        ("job-3", "make it red"),
    ]
    assert captures.version(empty).moments == (0, 40, 90)
    assert bpy.ops.maquette.version_choose(job="job-1") == {"FINISHED"}
    assert (empty[captures.SCENE], captures.moment(empty)) == ("job-1", None)
    assert bpy.ops.maquette.version_forget(job="job-2") == {"FINISHED"}
    assert [one.job for one in captures.versions(empty)] == ["job-1", "job-3"]
    assert empty[captures.SCENE] == "job-1"
    assert bpy.ops.maquette.version_forget(job="job-1") == {"FINISHED"}
    assert empty[captures.SCENE] == "job-3"
    with pytest.raises(RuntimeError, match="only version stays"):
        bpy.ops.maquette.version_forget(job="job-3")
    with pytest.raises(RuntimeError, match="no such version"):
        bpy.ops.maquette.version_choose(job="job-9")
    edited(empty, "job-3", "make it red")  # applied again
    assert len(captures.versions(empty)) == 1


def test_the_slider_walks_through_the_moments(empty) -> None:
    edited(empty, "job-2", "make it blue")
    assert (empty.maquette.moment, captures.moment(empty)) == (2, None)
    empty.maquette.moment = 1
    assert captures.moment(empty) == 40
    assert bpy.ops.maquette.before_after() == {"FINISHED"}
    assert (empty.maquette.moment, captures.moment(empty)) == (0, 0)
    assert bpy.ops.maquette.before_after() == {"FINISHED"}
    assert (empty.maquette.moment, captures.moment(empty)) == (2, None)
    empty.maquette.moment = 20
    assert (empty.maquette.moment, captures.moment(empty)) == (2, None)
    field.keep(empty, "job-1", b'{"id": "a-scene"}', {})
    with pytest.raises(RuntimeError, match="shows no edit"):
        bpy.ops.maquette.before_after()


def test_what_was_saved_by_an_earlier_version_has_a_field_and_no_versions(empty) -> None:
    empty[captures.SCENE] = "job-1"
    assert (captures.versions(empty), captures.version(empty), captures.moment(empty)) == ([], None, None)
    empty[captures.VERSIONS] = "{broken"
    assert captures.versions(empty) == []


def test_an_empty_instruction_is_refused(empty) -> None:
    field.keep(empty, "job-1", b"{}", {})
    with pytest.raises(RuntimeError, match="The instruction is empty"):
        bpy.ops.maquette.edit_scene()


def test_a_capture_is_found_after_a_rename_and_told_from_its_copy(empty) -> None:
    record = {"uid": targets.named(empty), "name": empty.name}
    empty.name = "Elsewhere"
    assert captures.find(record) == empty
    copy = empty.copy()
    bpy.context.scene.collection.objects.link(copy)
    empty.name, copy.name = "Capture", "Copy"
    assert captures.find(record) == empty
    bpy.data.objects.remove(empty)
    bpy.data.objects.remove(copy)
    with pytest.raises(Exception, match="no longer in this file"):
        captures.find(record)


def surface(**changes):
    """A tetrahedron."""
    given = {
        "positions": np.array([[10, 0, 0], [12, 0, 0], [10, 2, 0], [10, 0, 2]], np.float64),
        "triangles": np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32),
        "corner_uvs": np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 3, 2),
        "png": colour(9),
        "recipe": {"seed": 3},
    }
    return extracted.Surface(**{**given, **changes})


def test_a_mesh_stands_in_the_coordinates_of_its_capture(empty) -> None:
    empty.matrix_world = PLACED
    bpy.context.view_layer.update()
    given = surface()
    thing = extracted.build(bpy.context, empty, given)
    assert (thing.parent, bpy.context.object) == (empty, thing)
    points = np.array([(*vertex.co, 1) for vertex in thing.data.vertices]) @ world(thing).T
    expected = np.c_[given.positions, np.ones(4)] @ np.array(PLACED).T
    np.testing.assert_allclose(points, expected, atol=1e-4)
    np.testing.assert_allclose(thing.location, (11, 1, 1))
    assert not thing.data.validate()
    np.testing.assert_allclose(targets.layer_uvs(thing.data.uv_layers[0]), given.corner_uvs.reshape(-1, 2))
    assert [tuple(p.vertices) for p in thing.data.polygons] == [tuple(t) for t in given.triangles]
    material = thing.material_slots[0].material
    image = next(node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE")
    assert bytes(image.packed_file.data) == given.png
    assert thing.name in empty.users_collection[0].objects


@pytest.mark.parametrize(
    "changes",
    [
        {"triangles": np.array([[0, 1, 4]], np.int32), "corner_uvs": np.zeros((1, 3, 2), np.float32)},
        {"triangles": np.array([[0, 1, -1]], np.int32), "corner_uvs": np.zeros((1, 3, 2), np.float32)},
        {"corner_uvs": np.zeros((3, 3, 2), np.float32)},
        {"positions": np.full((4, 3), np.nan)},
        {"triangles": np.zeros((0, 3), np.int32), "corner_uvs": np.zeros((0, 3, 2), np.float32)},
        {"png": b"no picture"},
    ],
)
def test_a_mesh_that_is_not_whole_is_refused_before_anything_is_made(empty, changes) -> None:
    before = [len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "images", "materials")]
    with pytest.raises(Exception, match=r"not whole|not a PNG"):
        extracted.build(bpy.context, empty, surface(**changes))
    assert [len(getattr(bpy.data, k)) for k in ("objects", "meshes", "images", "materials")] == before


def shown(thing):
    return [(b.image.name, b.show_background_image) for b in thing.data.background_images]


def test_renders_stand_beside_the_photographs_and_replace_earlier_ones(scene, tmp_path) -> None:
    empty = data_set(tmp_path / "set")
    cameras = captures.cameras(empty)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    uids = [targets.named(thing) for thing in cameras]
    for number in range(2):
        files = backgrounds.written(f"job-{number}", "Ça pture", [colour(1), colour(2)])
        assert backgrounds.show_stills(uids, files, f"job-{number}") == 2
        assert files[0].parent == tmp_path / "file_renders" / f"Ça_pture-job-{number}"
        assert [path.read_bytes() for path in files] == [colour(1), colour(2)]
        assert "2 renders in" in backgrounds.told(files, 2)
    for thing, path in zip(cameras, files, strict=True):
        (photograph, seen), (render, over) = shown(thing)
        assert (photograph.endswith(".png"), seen, over) == (True, False, True)
        image = bpy.data.images[render]
        assert Path(bpy.path.abspath(image.filepath)) == path
        assert image.filepath.startswith("//")
        assert image.colorspace_settings.name == "sRGB"
    assert len([image for image in bpy.data.images if backgrounds.MARK in image]) == 2


def test_the_place_of_renders_of_an_unsaved_file_is_told(empty) -> None:
    files = backgrounds.written("job", "Capture", [colour(1)])
    told = backgrounds.told(files, 1)
    assert "not saved" in told
    assert str(files[0].parent) in told
    files[0].unlink()
    files[0].parent.rmdir()


def test_a_folder_that_cannot_be_written_is_told(empty, tmp_path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    (tmp_path / "file_renders").write_text("in the way", encoding="utf-8")
    with pytest.raises(Exception, match="cannot be written"):
        backgrounds.written("job", "Capture", [colour(1)])


# ---- pictures that were edited ----


def fetched(empty, folder, job, which):
    """As if the edited pictures of some cameras had come."""
    made = []
    for number in which:
        thing = captures.cameras(empty)[number]
        after, before = (folder / f"{job}-{what}-{number}.png" for what in ("after", "before"))
        after.write_bytes(colour(200))
        before.write_bytes(colour(100))
        made.append(edited_pictures.Fetched(thing.name, after, before))
    return edited_pictures.keep(empty, job, made)


def in_front(thing):
    """Names of the files that a camera shows."""
    entries = [b for b in thing.data.background_images if b.show_background_image]
    return [Path(bpy.path.abspath(b.image.filepath)).name for b in entries]


def test_cameras_change_between_their_photographs_and_what_was_made_of_them(scene, tmp_path) -> None:
    empty = data_set(tmp_path / "set")
    first, second = captures.cameras(empty)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    edited(empty, "job-2", "make it blue")
    assert bpy.ops.maquette.pictures_choose(edited=True) == {"FINISHED"}  # nobody has fetched any
    assert (in_front(first), in_front(second)) == (["0.png"], ["1.png"])
    alpha = first.data.background_images[0].alpha
    assert fetched(empty, tmp_path, "job-2", [0]).startswith("Edited views: 1, in")
    assert (in_front(first), in_front(second)) == (["job-2-after-0.png"], ["1.png"])
    assert first.data.background_images[0].alpha == alpha
    assert len(bpy.data.images) == 2  # nothing is left of the photograph
    assert bpy.ops.maquette.pictures_choose(edited=False) == {"FINISHED"}
    assert in_front(first) == ["0.png"]
    assert captures.edited(first)[1] == tmp_path / "job-2-before-0.png"
    assert captures.edited(second) is None
    bpy.ops.maquette.pictures_choose(edited=True)
    edited(empty, "job-3", "make it red")  # another version, whose pictures are not here
    assert in_front(first) == ["0.png"]
    bpy.ops.maquette.version_choose(job="job-2")
    assert in_front(first) == ["job-2-after-0.png"]
    path, name = str(tmp_path / "file.blend"), empty.name
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    first = captures.cameras(bpy.data.objects[name])[0]
    assert in_front(first) == ["job-2-after-0.png"]
    assert first.data.background_images[0].image.filepath.startswith("//")


def test_an_edited_picture_is_shown_above_renders_and_goes_without_a_trace(empty, tmp_path) -> None:
    thing = captures.cameras(empty)[1]
    files = backgrounds.written("job-1", "Capture", [colour(9)])
    backgrounds.show_stills([targets.named(thing)], files, "job-1")
    before = [(captures.cameras(empty)[n].name, shown(captures.cameras(empty)[n])) for n in range(3)]
    edited(empty, "job-2", "make it blue")
    fetched(empty, tmp_path, "job-2", [0, 1])
    assert in_front(thing) == ["job-2-after-1.png"]
    assert in_front(captures.cameras(empty)[0]) == ["job-2-after-0.png"]
    assert not captures.cameras(empty)[2].data.background_images
    bpy.ops.maquette.pictures_choose(edited=False)
    assert [(thing.name, shown(thing)) for thing in captures.cameras(empty)] == before
    assert len([image for image in bpy.data.images if "after" in image.filepath]) == 0


def test_renders_that_come_later_are_shown_until_pictures_are_chosen_again(empty, tmp_path) -> None:
    thing = captures.cameras(empty)[0]
    edited(empty, "job-2", "make it blue")
    fetched(empty, tmp_path, "job-2", [0])
    files = backgrounds.written("job-1", "Capture", [colour(9)])
    backgrounds.show_stills([targets.named(thing)], files, "job-1")
    assert in_front(thing) == ["0001.png"]
    bpy.ops.maquette.pictures_choose(edited=True)
    assert in_front(thing) == ["job-2-after-0.png"]


def test_of_many_edited_views_the_active_one_shows_its_own(empty, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(photographs, "AT_ONCE", 1)
    edited(empty, "job-2", "make it blue")
    fetched(empty, tmp_path, "job-2", [0, 1])
    first, second, _ = captures.cameras(empty)
    assert not bpy.data.images
    for thing, name in ((first, "job-2-after-0.png"), (second, "job-2-after-1.png")):
        bpy.context.view_layer.objects.active = thing
        pump.tick()
        assert in_front(thing) == [name]
        assert len(bpy.data.images) == 1


def test_one_press_looks_through_a_camera(scene, empty) -> None:
    thing = captures.cameras(empty)[2]
    assert bpy.ops.maquette.look_through(camera=thing.name) == {"FINISHED"}
    assert scene.camera == thing
    with pytest.raises(RuntimeError, match="no camera 'Nobody'"):
        bpy.ops.maquette.look_through(camera="Nobody")


def test_edited_views_of_a_scene_that_is_no_edit_are_refused(empty, tmp_path) -> None:
    field.keep(empty, "job-1", b'{"id": "a-scene"}', {})
    for operator, options in (("edited_views", {}), ("capture_export", {"pictures": "EDITED"})):
        if operator == "capture_export":
            options["directory"] = str(tmp_path / "out")
        with pytest.raises(RuntimeError, match="shows no edit"):
            getattr(bpy.ops.maquette, operator)(**options)
    assert not (tmp_path / "out").exists()


class Reader:
    """Edited pictures of the first camera, of that size; its lens, but for what is given, and place are those
    of the file.
    """

    def __init__(self, given, width, height, **lens):
        frame = given.views[0].frame
        self.picture = colour(200, width, height)
        lens = dataclasses.replace(frame.lens, **lens)
        self.views = [edited_files.View(frame.name, None, None, frame.world_from_camera, lens)]

    def views_steps(self, job_id, names):
        yield 0
        return [view for view in self.views if view.name in names]

    def file_steps(self, item):
        yield 0
        return self.picture


def export(empty, folder, size, everything=False, **lens):
    given = cameras.read(bpy.context, empty, captures.cameras(empty))
    reader = Reader(given, *size, **lens)
    work = edited_views.export_steps(
        bpy.context.scene, given, folder, reader, "job-2", overwrite=False, everything=everything
    )
    told = steps.at_once(work)
    return told, json.loads((folder / "transforms.json").read_text(encoding="utf-8"))


def test_edited_pictures_take_the_places_of_photographs_and_the_rest_is_told(scene, tmp_path) -> None:
    empty = data_set(tmp_path / "set")
    stated = json.loads((tmp_path / "set" / "transforms.json").read_text(encoding="utf-8"))
    told, fields = export(empty, tmp_path / "out", (16, 12))
    assert told == "Edited pictures: 1. Not edited and left out: 1."
    assert fields == {**stated, "frames": stated["frames"][:1]}  # to the last digit
    assert (tmp_path / "out" / "images" / "0.png").read_bytes() == colour(200)
    told, fields = export(empty, tmp_path / "all", (16, 12), everything=True)
    assert told == "Edited pictures: 1. Not edited and there as they were: 1."
    assert fields == stated
    for name, red in (("images/0.png", 200), ("images/1.png", 50), ("mask.png", 255)):
        assert (tmp_path / "all" / name).read_bytes() == colour(red)
    with pytest.raises(Exception, match="holds a data set already"):
        export(empty, tmp_path / "all", (16, 12), everything=True)


@pytest.mark.parametrize(("size", "factor"), [((8, 6), 2), ((5, 4), 3)])
def test_edited_pictures_of_another_size_bring_their_own_lens(scene, tmp_path, size, factor) -> None:
    empty = data_set(tmp_path / "set")
    for thing in captures.cameras(empty)[:1]:
        bpy.data.objects.remove(thing)
    told, fields = export(empty, tmp_path / "out", size)
    assert told == "Edited pictures: 1. Masks and depths left out, as they are larger: 1."
    (frame,) = fields["frames"]
    lens = {**fields, **frame}
    assert (lens["w"], lens["h"]) == size
    np.testing.assert_allclose([lens["fl_x"], lens["cx"]], [20 / factor, 8 / factor])
    assert lens["k1"] == 0.1
    assert "mask_path" not in frame
    assert not (tmp_path / "out" / "mask.png").exists()


def test_edited_pictures_bend_as_they_did_when_they_were_edited(scene, tmp_path) -> None:
    empty = data_set(tmp_path / "set")
    _, fields = export(empty, tmp_path / "out", (16, 12), distortion={"k2": 0.2})
    lens = {**fields, **fields["frames"][0]}
    assert [lens.get(key, 0) for key in ("k1", "k2", "p2", "fl_x", "w")] == [0, 0.2, 0, 20, 16]


# ---- live ----


class Story:
    """A session that only looks."""

    state = "READY"

    def __init__(self):
        self.asked = []
        self.jobs = {}

    def view(self, *request, moment=None):
        self.asked.append(request)
        return f"view-{len(self.asked)}"

    def answer(self, red):
        width, height = self.asked[-1][3:5]
        picture = np.full((height, width, 4), 255, np.uint8)
        picture[..., 0] = red
        return live_render.arrived(session.ViewArrived(f"view-{len(self.asked)}", picture))


@pytest.fixture
def looking(scene, empty):
    empty[captures.SCENE] = "job-1"
    scene.camera = captures.cameras(empty)[0]
    live_render.start(empty)
    return Story()


def test_a_view_is_asked_for_only_when_something_has_moved(scene, empty, looking) -> None:
    own = np.array(scene.camera.matrix_basis)
    empty.matrix_world = PLACED
    bpy.context.view_layer.update()
    live_render.turn(looking, scene)
    live_render.turn(looking, scene)
    ((job, rows, fov_y, width, height, _),) = looking.asked  # one is out at a time
    assert (job, width, height) == ("job-1", 128, 96)
    np.testing.assert_allclose(rows, own, atol=1e-5)
    assert fov_y == pytest.approx(2 * np.arctan(6 / (50 / 36 * 16)))
    while len(looking.asked) < 9:
        looking.answer(10)
        count = len(looking.asked)
        live_render.turn(looking, scene)
        if len(looking.asked) == count:
            break
    assert [request[3] for request in looking.asked] == [128, 256, 512]
    empty.location.x += 1  # all of it moves along, so that nothing is seen anew
    bpy.context.view_layer.update()
    live_render.turn(looking, scene)
    assert len(looking.asked) == 3
    scene.camera.location.z += 1
    bpy.context.view_layer.update()
    live_render.turn(looking, scene)
    assert len(looking.asked) == 4


def test_the_picture_is_in_no_file_and_all_is_put_back(scene, tmp_path) -> None:
    empty = data_set(tmp_path / "set")
    empty[captures.SCENE] = "job-1"
    first, second = captures.cameras(empty)
    before = [(shown(thing), thing.data.show_background_images) for thing in (first, second)]
    scene.camera, story = first, Story()
    live_render.start(empty)
    live_render.turn(story, scene)
    story.answer(200)
    (_, photograph), (name, over) = shown(first)
    assert (photograph, name, over) == (False, "Maquette Live", True)
    path = tmp_path / "file.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False)
    assert b"Maquette Live" not in path.read_bytes()
    assert live_view.image_of() is None
    live_render.turn(story, scene)
    assert [name for name, _ in shown(first)][1:] == ["Maquette Live"]  # shown again without being asked for
    scene.camera = second
    bpy.context.view_layer.update()
    while "Maquette Live" not in [name for name, _ in shown(second)]:
        live_render.turn(story, scene)
        story.answer(100)
    assert (shown(first), first.data.show_background_images) == before[0]
    live_render.stop()
    assert [(shown(thing), thing.data.show_background_images) for thing in (first, second)] == before
    assert live_view.image_of() is None


def test_undo_never_brings_the_picture_back(scene, empty, looking) -> None:
    bpy.ops.ed.undo_push(message="before")
    live_render.turn(looking, scene)
    looking.answer(200)
    bpy.ops.ed.undo_push(message="something of the artist's, while it is shown")
    bpy.ops.ed.undo_push(message="and more")
    bpy.ops.ed.undo()
    assert live_view.image_of() is None
    thing = bpy.context.scene.camera
    assert not thing.data.background_images
    assert live_view.BEFORE not in thing.data


def test_what_is_wrong_is_said_and_tried_again(scene, empty, looking, monkeypatch) -> None:
    scene.camera = None
    live_render.turn(looking, scene)
    assert "no active camera" in live_render.says()
    scene.camera = captures.cameras(empty)[0]
    later = time.monotonic() + 2 * live_render.AGAIN
    monkeypatch.setattr(live_render.time, "monotonic", lambda: later)
    live_render.turn(looking, scene)
    fault = messages.Fault(code="view.late", sentence="The server is busy.")
    live_render.failed(session.ViewFailed("view-1", fault))
    assert live_render.says() == "The server is busy."
    live_render.turn(looking, scene)
    assert len(looking.asked) == 1
    monkeypatch.setattr(live_render.time, "monotonic", lambda: later + 2 * live_render.AGAIN)
    live_render.turn(looking, scene)
    looking.answer(5)
    assert live_render.says() == ""


def test_a_running_job_is_looked_at_once_it_has_something_to_show(empty) -> None:
    empty[captures.SCENE] = "old"
    story = Story()
    record = {"method": "reconstruct", "target": {"uid": targets.named(empty), "name": empty.name}}
    job = jobs.Job("r", "Capture", record, job_id="new", state="running")
    story.jobs["r"] = job
    assert live_render.scene_of(story, empty)[0] == "old"
    live_render.snapshot("r")
    first = live_render.scene_of(story, empty)
    live_render.snapshot("r")
    assert first[0] == "new"
    assert live_render.scene_of(story, empty) == ("new", first[1] + 1)
    job.state = "cancelled"
    assert live_render.scene_of(story, empty)[0] == "old"


# ---- the panel ----


class Layout:
    """Records what is drawn."""

    def __init__(self):
        self.labels, self.buttons, self.shown = [], [], []

    def label(self, text="", **_):
        self.labels.append(text)

    def progress(self, text="", factor=0.0, **_):
        self.labels.append(text)

    def operator(self, name, text="", **_):
        self.buttons.append(name)
        return type("Properties", (), {})()

    def prop(self, owner, name, **_):
        assert name in owner.bl_rna.properties
        self.shown.append(name)

    def prop_enum(self, owner, name, value):
        assert value in owner.bl_rna.properties[name].enum_items

    def template_icon(self, icon_value, **_):
        self.shown.append("picture")

    def menu(self, *_, **__):
        pass

    def panel(self, *_, **__):
        return self, self

    def row(self, **_):
        return self

    column = box = split = row


def drawn():
    class Panel:
        layout = Layout()

    panels.MAQUETTE_PT_main.draw(Panel, bpy.context)
    return Panel.layout


def test_the_panel_has_what_the_mode_needs(scene, empty, monkeypatch) -> None:
    settings, live = scene.maquette, bpy.context.window_manager.maquette
    paint = drawn()
    assert "maquette.paint" in paint.buttons
    assert "maquette.reconstruct" not in paint.buttons
    settings.mode = "RECONSTRUCT"
    panel = drawn()
    assert "maquette.reconstruct" in panel.buttons
    assert not {"maquette.paint", "maquette.live_render", "maquette.extract_mesh"} & set(panel.buttons)
    assert "Capture: 3 cameras" in panel.labels
    assert {"field", "budget", "bounds", "appearance", "reduce", "seed"} <= set(panel.shown)
    assert "capture" not in panel.shown  # the active object says which
    bpy.context.view_layer.objects.active = None
    assert "capture" in drawn().shown
    empty[captures.SCENE] = "job-1"
    assert {"maquette.live_render", "maquette.render_views", "maquette.extract_mesh"} <= set(drawn().buttons)
    row = live.jobs.add()
    row.request_id, row.label, row.state, row.method = "r", "Capture", "sending", "reconstruct"
    row.stage, row.step, row.total = "rendering views", 1, 3
    assert "Rendering views 1/3" in drawn().labels
    assert "picture" not in drawn().shown
    thumbnails.show("r", np.full((6, 8, 4), 99, np.uint8))
    monkeypatch.setattr(thumbnails, "icon_of", lambda name: 7)  # without a window icons have no numbers
    row.state = "running"
    assert "picture" in drawn().shown
    live.live, live.live_says = True, "Wait for it."
    assert "Wait for it." in drawn().labels
    live.jobs.clear()


def test_the_newest_trial_is_found_again_from_the_panel(scene, empty) -> None:
    scene.maquette.mode = "EDIT"
    assert "maquette.trial_show" not in drawn().buttons
    first, second = (trial.keep(empty, "Capture", colour(red)) for red in (10, 20))
    assert empty[captures.TRIAL] == second
    assert bytes(second.packed_file.data) == colour(20)
    assert "maquette.trial_show" in drawn().buttons
    assert bpy.ops.maquette.trial_show.poll()
    bpy.data.images.remove(second)
    assert "maquette.trial_show" not in drawn().buttons
    assert first.name in bpy.data.images  # an earlier sheet stays in the file


def test_the_panel_shows_what_was_edited_a_few_views_at_a_time(scene, empty, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(edit_panel, "COLUMNS", 1)
    monkeypatch.setattr(thumbnails, "icon_of_file", lambda path: looked_at.append(path.name))
    live, looked_at = bpy.context.window_manager.maquette, []
    scene.maquette.mode = "EDIT"
    field.keep(empty, "job-1", b'{"id": "a-scene"}', {})
    ours = {"maquette.edited_views", "maquette.pictures_choose", "maquette.look_through"}
    assert not ours & set(drawn().buttons)
    edited(empty, "job-2", "make it blue")
    assert ours & set(drawn().buttons) == {"maquette.edited_views"}
    live.task = "The edited views of 'Capture'"
    panel = drawn()
    assert "The edited views of 'Capture'" in panel.labels
    assert "maquette.task_cancel" in panel.buttons
    live.task, live.told = "", "2 edited views."
    fetched(empty, tmp_path, "job-2", [0, 2])
    panel = drawn()
    assert "2 edited views." in panel.labels
    assert ours <= set(panel.buttons)
    assert looked_at == ["job-2-before-0.png", "job-2-after-0.png"]
    live.page = 7  # there are two
    drawn()
    assert looked_at[2:] == ["job-2-before-2.png", "job-2-after-2.png"]
    live.told, live.page = "", 1


def test_the_chosen_capture_is_the_active_ones_else_the_pickers_else_the_only_one(scene, empty) -> None:
    assert captures.chosen(bpy.context) == empty
    bpy.context.view_layer.objects.active = captures.cameras(empty)[0]
    assert captures.chosen(bpy.context) == empty
    bpy.context.view_layer.objects.active = None
    assert captures.chosen(bpy.context) == empty
    other = empty.copy()
    scene.collection.objects.link(other)
    assert captures.chosen(bpy.context) is None
    scene.maquette.capture = other
    assert captures.chosen(bpy.context) == other
