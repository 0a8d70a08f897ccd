"""Facts about applying a texture, inside Blender."""

import hashlib
import importlib
import json

import bpy
import numpy as np
import pytest

MODULE = "bl_ext.user_default.maquette"
mesh = importlib.import_module(f"{MODULE}.collect.mesh")
texture = importlib.import_module(f"{MODULE}.apply.texture")
targets = importlib.import_module(f"{MODULE}.target")
preview = importlib.import_module(f"{MODULE}.apply.preview")
unchanged = importlib.import_module(f"{MODULE}.unchanged")
errors = importlib.import_module(f"{MODULE}.wire.errors")
png = importlib.import_module(f"{MODULE}.png")

PICTURE = np.random.default_rng(1).integers(0, 256, (16, 16, 4), dtype=np.uint8)
PICTURE[..., 3] = 255


@pytest.fixture(autouse=True)
def cube():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=MODULE)
    bpy.ops.mesh.primitive_cube_add()
    thing = bpy.context.object
    thing.data.materials.append(bpy.data.materials.new("Old"))
    return thing


def collected(thing, **wish):
    bpy.context.view_layer.update()
    return mesh.collect(bpy.context.evaluated_depsgraph_get(), thing, mesh.Wish(**wish))[1]


def loop_uvs(thing, shift=0.0):
    return targets.layer_uvs(thing.data.uv_layers[0]) * np.float32(0.5) + np.float32(shift)


def apply(target, uvs, picture=PICTURE):
    painting = texture.Painting(png.encode(picture), uvs, {"prompt": "gold", "seed": 3})
    return texture.apply(bpy.context.evaluated_depsgraph_get(), target, painting)


def show(record, picture, uvs):
    """Shows a preview once it is known whether the target has changed."""
    while (shown := preview.show(record, picture, uvs)) is None:
        unchanged.advance(0.0)
    return shown


def belongings(thing):
    """A digest of all that is the artist's."""
    theirs = [layer for layer in thing.data.uv_layers if not layer.name.startswith("Maquette")]
    layers = [(layer.name, targets.layer_uvs(layer).tobytes()) for layer in theirs]
    points = np.empty(len(thing.data.vertices) * 3, np.float32)
    thing.data.vertices.foreach_get("co", points)
    materials = [m and m.name for m in thing.data.materials]
    active = [layer.name for layer in thing.data.uv_layers if layer.active_render]
    view = bpy.context.scene.view_settings.view_transform
    return hashlib.sha256(repr((layers, points.tobytes(), materials, active, view)).encode()).hexdigest()


def shown(thing):
    return thing.material_slots[0].material


def image_of(material):
    return next(node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE")


def pixels(image):
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    return np.rint(values.reshape(image.size[1], image.size[0], 4)[::-1] * 255).astype(np.uint8)


def test_a_painting_stands_beside_what_the_artist_has(cube) -> None:
    before = belongings(cube)
    uvs = loop_uvs(cube)
    apply(collected(cube), uvs)
    assert belongings(cube) == before
    assert cube.material_slots[0].link == "OBJECT"
    assert shown(cube).name == "Cube Maquette"
    assert np.array_equal(targets.layer_uvs(cube.data.uv_layers["Maquette UV"]), uvs)
    image = image_of(shown(cube))
    assert (tuple(image.size), image.colorspace_settings.name, image.source) == ((16, 16), "sRGB", "FILE")
    assert np.array_equal(pixels(image), PICTURE)
    assert json.loads(image["maquette_recipe"]) == {"prompt": "gold", "seed": 3}
    node = next(n for n in shown(cube).node_tree.nodes if n.type == "UVMAP")
    assert node.uv_map == "Maquette UV"


def test_the_bytes_of_the_png_are_kept_as_they_came(cube) -> None:
    apply(collected(cube), loop_uvs(cube))
    assert bytes(image_of(shown(cube)).packed_file.data) == png.encode(PICTURE)


def test_one_undo_takes_it_all_back_and_redo_brings_it_again(cube) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    before = belongings(cube)
    bpy.ops.ed.undo_push(message="before")
    apply(target, uvs)
    bpy.ops.ed.undo_push(message="Apply Maquette Result")
    bpy.ops.ed.undo()
    cube = bpy.data.objects["Cube"]
    assert belongings(cube) == before
    assert shown(cube).name == "Old"
    assert "Maquette UV" not in cube.data.uv_layers
    assert "Cube Maquette" not in bpy.data.materials
    assert "Cube Maquette" not in bpy.data.images
    bpy.ops.ed.redo()
    cube = bpy.data.objects["Cube"]
    assert np.array_equal(pixels(image_of(shown(cube))), PICTURE)


def test_a_saved_and_reloaded_painting_is_still_there(cube, tmp_path) -> None:
    uvs = loop_uvs(cube)
    apply(collected(cube), uvs)
    path = str(tmp_path / "painted.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=path)
    cube = bpy.data.objects["Cube"]
    assert np.array_equal(pixels(image_of(shown(cube))), PICTURE)
    assert np.array_equal(targets.layer_uvs(cube.data.uv_layers["Maquette UV"]), uvs)


def test_a_result_finds_its_object_after_reload_and_rename(cube, tmp_path) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    cube.name = "Dragon"
    path = str(tmp_path / "file.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert apply(targets.from_record(json.loads(json.dumps(target.record()))), uvs).name == "Dragon"


def test_restore_shows_what_was_there(cube) -> None:
    before = belongings(cube)
    apply(collected(cube), loop_uvs(cube))
    apply(collected(cube), loop_uvs(cube, 0.25))
    assert texture.restore(cube) == 1
    assert belongings(cube) == before
    assert (shown(cube).name, cube.material_slots[0].link) == ("Old", "DATA")
    assert not cube.maquette.before


def test_restore_brings_back_an_objects_own_material(cube) -> None:
    own = bpy.data.materials.new("Own")
    cube.material_slots[0].link = "OBJECT"
    cube.material_slots[0].material = own
    apply(collected(cube), loop_uvs(cube))
    texture.restore(cube)
    assert shown(cube) == own
    cube.material_slots[0].link = "DATA"
    assert shown(cube).name == "Old"


def test_an_object_without_slots_gets_one_and_gives_it_back(cube) -> None:
    cube.data.materials.clear()
    before = belongings(cube)
    apply(collected(cube), loop_uvs(cube))
    assert shown(cube).name == "Cube Maquette"
    texture.restore(cube)
    assert belongings(cube) == before
    assert not cube.material_slots


def test_a_second_painting_leaves_the_first_as_it_is(cube) -> None:
    apply(collected(cube), loop_uvs(cube))
    first = shown(cube)
    apply(collected(cube), loop_uvs(cube))
    assert len(cube.data.uv_layers) == 2  # the same coordinates: the same layer
    apply(collected(cube), loop_uvs(cube, 0.25))
    assert len(cube.data.uv_layers) == 3
    assert first.name in bpy.data.materials
    assert np.array_equal(targets.layer_uvs(cube.data.uv_layers["Maquette UV"]), loop_uvs(cube))


def test_a_mesh_of_several_objects_is_painted_on_one(cube) -> None:
    other = bpy.data.objects.new("Other", cube.data)
    bpy.context.collection.objects.link(other)
    apply(collected(cube), loop_uvs(cube))
    assert shown(other).name == "Old"


def test_a_mask_replaces_its_slot_only(cube) -> None:
    cube.data.materials.append(bpy.data.materials.new("Second"))
    cube.data.polygons[3].material_index = 1
    apply(collected(cube, mask_mode="SLOT", slot=1), loop_uvs(cube))
    assert [slot.material.name for slot in cube.material_slots] == ["Old", "Cube Maquette"]


def test_a_mesh_without_uvs_gets_a_layer(cube) -> None:
    uvs = loop_uvs(cube)
    cube.data.uv_layers.remove(cube.data.uv_layers[0])
    apply(collected(cube), uvs)
    assert [layer.name for layer in cube.data.uv_layers] == ["Maquette UV"]


def test_carried_uvs_reach_the_base_mesh(cube) -> None:
    cube.modifiers.new("Subdivision", "SUBSURF").levels = 1
    target = collected(cube)
    evaluated = cube.evaluated_get(bpy.context.evaluated_depsgraph_get())
    sent = targets.layer_uvs(evaluated.to_mesh().uv_layers[0]).copy()
    evaluated.to_mesh_clear()
    apply(target, sent)
    own = targets.layer_uvs(cube.data.uv_layers["UVMap"])
    assert np.array_equal(targets.layer_uvs(cube.data.uv_layers["Maquette UV"]), own)
    before = belongings(cube)
    with pytest.raises(errors.UserError) as caught:
        apply(target, sent * np.float32(0.5))
    assert caught.value.code == "mesh.no_uv"
    assert belongings(cube) == before


@pytest.mark.parametrize("change", ["gone", "faces", "uvs", "layer", "topology"])
def test_a_target_that_changed_is_refused_and_left_alone(cube, change) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    if change == "gone":
        cube.maquette.uid, cube.name = "", "Other"
    elif change == "faces":
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.mesh.subdivide()
        bpy.ops.object.mode_set(mode="OBJECT")
    elif change == "uvs":
        cube.data.uv_layers[0].uv[0].vector = (0.9, 0.9)
    elif change == "layer":
        cube.data.uv_layers[0].name = "Renamed"
    else:
        cube.data.flip_normals()
    before, images = belongings(cube), len(bpy.data.images)
    with pytest.raises(errors.UserError) as caught:
        apply(target, uvs)
    assert caught.value.code == "result.gone"
    assert caught.value.hint
    assert belongings(cube) == before
    assert len(bpy.data.images) == images


def test_moving_an_object_does_not_part_it_from_its_result(cube) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    cube.location.x = 5
    cube.data.vertices[0].co.z += 0.3
    assert apply(target, uvs) == cube


def test_a_duplicate_is_told_from_the_original_by_its_name(cube) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    bpy.ops.object.duplicate()
    copy = bpy.context.object
    assert copy.maquette.uid == cube.maquette.uid
    assert apply(target, uvs) == cube
    assert shown(copy).name == "Old"


def test_a_ninth_uv_map_is_refused_before_anything_changes(cube) -> None:
    while len(cube.data.uv_layers) < 8:
        cube.data.uv_layers.new()
    target, uvs = collected(cube), loop_uvs(cube)
    images = len(bpy.data.images)
    with pytest.raises(errors.UserError) as caught:
        apply(target, uvs)
    assert caught.value.code == "target.bad"
    assert len(bpy.data.images) == images
    assert shown(cube).name == "Old"


def test_a_texture_that_is_no_png_is_refused(cube) -> None:
    with pytest.raises(errors.UserError) as caught:
        texture.apply(
            bpy.context.evaluated_depsgraph_get(),
            collected(cube),
            texture.Painting(b"no picture", loop_uvs(cube), {}),
        )
    assert caught.value.code == "texture.bad"


LEAF = PICTURE.copy()
LEAF[:8, :, 3] = 0


def leaf_card(thing, alpha):
    """Its material shows a picture; `alpha` says how that picture's alpha is used."""
    material = shown(thing)
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    picture, other, maths = (tree.nodes.new(f"ShaderNode{kind}") for kind in ("TexImage", "TexImage", "Math"))
    picture.image, other.image = (bpy.data.images.new("Leaf", 16, 16) for _ in range(2))
    picture.image.pixels.foreach_set((LEAF[::-1].astype(np.float32) / 255).ravel())
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    if alpha == "through nodes":
        tree.links.new(picture.outputs["Alpha"], maths.inputs[0])
        tree.links.new(maths.outputs[0], shader.inputs["Alpha"])
    elif alpha != "unused":
        source = {"its own": picture.outputs["Alpha"], "another's": other.outputs["Alpha"]}
        source["its colour"] = picture.outputs["Color"]
        tree.links.new(source[alpha], shader.inputs["Alpha"])
    material.surface_render_method = "BLENDED"


def alpha_of(material):
    """The alpha that its shader is given: the output of a node, or None."""
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    links = shader.inputs["Alpha"].links
    return links[0].from_socket.name if links else None


@pytest.mark.parametrize(
    ("alpha", "kept"),
    [
        ("its own", "Alpha"),
        ("through nodes", "Alpha"),
        ("unused", None),
        ("another's", None),
        ("its colour", None),
    ],
)
def test_alpha_that_a_mask_kept_is_shown_as_before(cube, alpha, kept) -> None:
    leaf_card(cube, alpha)
    target, uvs = collected(cube, mask_mode="SLOT"), loop_uvs(cube)
    assert show(target.record(), LEAF, uvs)
    assert alpha_of(shown(cube)) == kept
    preview.remove(target.uid)
    for _ in range(2):  # the second painting stands on the first
        apply(target, uvs, LEAF)
        assert alpha_of(shown(cube)) == kept
    assert shown(cube).surface_render_method == ("BLENDED" if kept else "DITHERED")
    assert np.array_equal(pixels(image_of(shown(cube))), LEAF)


def test_a_mask_on_an_object_without_materials_is_painted(cube) -> None:
    cube.data.materials.clear()
    target, uvs = collected(cube, mask_mode="FACES"), loop_uvs(cube)
    assert target.slots == (0,)
    assert show(target.record(), PICTURE, uvs)
    preview.remove(target.uid)
    apply(target, uvs)
    assert alpha_of(shown(cube)) is None


def previewed(thing):
    """True while anything of a preview is in the file."""
    blocks = [*bpy.data.materials, *bpy.data.images]
    marked = [block for block in blocks if preview.MARK in block]
    return bool(marked or thing.maquette.preview or preview.UV_LAYER in thing.data.uv_layers)


@pytest.mark.parametrize("slots", ["data", "own", "none"])
def test_a_preview_is_shown_and_leaves_nothing_behind(cube, slots) -> None:
    if slots == "own":
        cube.material_slots[0].link = "OBJECT"
        cube.material_slots[0].material = bpy.data.materials.new("Own")
    elif slots == "none":
        cube.data.materials.clear()
    before, target, uvs = belongings(cube), collected(cube), loop_uvs(cube)
    was = shown(cube) if cube.material_slots else None
    assert show(target.record(), PICTURE, uvs)
    assert np.array_equal(pixels(image_of(shown(cube))), PICTURE)
    larger = np.repeat(np.repeat(PICTURE, 2, axis=0), 2, axis=1)
    assert show(target.record(), larger, uvs)
    assert np.array_equal(pixels(image_of(shown(cube))), larger)
    assert len([m for m in bpy.data.materials if preview.MARK in m]) == 1
    preview.remove(target.uid)
    assert not previewed(cube)
    assert belongings(cube) == before
    assert (shown(cube) if cube.material_slots else None) == was


def test_a_saved_file_never_holds_a_preview(cube, tmp_path) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    before = belongings(cube)
    show(target.record(), PICTURE, uvs)
    path = str(tmp_path / "file.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    assert not previewed(cube)
    bpy.ops.wm.open_mainfile(filepath=path)
    cube = bpy.data.objects["Cube"]
    assert not previewed(cube)
    assert belongings(cube) == before
    assert show(target.record(), PICTURE, uvs)  # the next snapshot shows it again


def test_undo_and_redo_never_bring_a_preview_back(cube) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    bpy.ops.ed.undo_push(message="before")
    show(target.record(), PICTURE, uvs)
    cube.location.x = 1
    bpy.ops.ed.undo_push(message="the artist moves it while the preview is there")
    cube.location.x = 2
    bpy.ops.ed.undo_push(message="again")
    bpy.ops.ed.undo()
    assert bpy.data.objects["Cube"].location.x == 1
    assert not previewed(bpy.data.objects["Cube"])
    bpy.ops.ed.redo()
    assert bpy.data.objects["Cube"].location.x == 2
    assert not previewed(bpy.data.objects["Cube"])
    assert shown(bpy.data.objects["Cube"]).name == "Old"


def test_a_target_that_cannot_show_a_preview_is_left_alone(cube) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    before = belongings(cube)
    bpy.ops.object.mode_set(mode="EDIT")
    assert not show(target.record(), PICTURE, uvs)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert not show(target.record(), PICTURE, uvs[:-1])
    cube.data.flip_normals()
    assert not show(target.record(), PICTURE, uvs)
    cube.data.flip_normals()
    assert belongings(cube) == before
    assert not previewed(cube)


def test_disabling_the_extension_takes_previews_away(cube) -> None:
    show(collected(cube).record(), PICTURE, loop_uvs(cube))
    bpy.ops.preferences.addon_disable(module=MODULE)
    assert shown(cube).name == "Old"
    assert not [block for block in [*bpy.data.materials, *bpy.data.images] if "maquette_preview" in block]
    assert "Maquette Preview" not in cube.data.uv_layers
    bpy.ops.preferences.addon_enable(module=MODULE)


@pytest.fixture
def hashings(monkeypatch):
    """How often a mesh was hashed from its beginning."""
    begun = []
    whole = unchanged._digest
    monkeypatch.setattr(unchanged, "_digest", lambda *given: begun.append(given) or whole(*given))
    return begun


def test_the_first_preview_chooses_its_layer_in_a_turn_of_its_own(cube) -> None:
    record, uvs = collected(cube).record(), targets.layer_uvs(cube.data.uv_layers[0])
    while not any(check.work.finished for check in unchanged._checks.values()):
        assert preview.show(record, PICTURE, uvs) is None
        unchanged.advance(0.0)
    assert preview.show(record, PICTURE, uvs) is None
    assert shown(cube).name == "Old"
    assert preview.show(record, PICTURE, uvs)
    assert np.array_equal(pixels(image_of(shown(cube))), PICTURE)
    assert len(cube.data.uv_layers) == 1


def test_a_mesh_is_hashed_once_for_many_previews(cube, hashings) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    show(target.record(), PICTURE, uvs)
    bpy.context.view_layer.update()  # Blender tells of the layer that the preview has added
    show(target.record(), PICTURE, uvs)
    first = len(hashings)
    for _ in range(5):
        bpy.context.view_layer.update()
        show(target.record(), PICTURE, uvs)
    assert len(hashings) == first <= 2


def test_an_edit_while_previews_are_shown_is_noticed(cube, hashings) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    assert show(target.record(), PICTURE, uvs)
    cube.data.uv_layers["UVMap"].uv.foreach_set("vector", np.zeros(48, np.float32))
    cube.data.update()
    bpy.context.view_layer.update()
    assert not show(target.record(), PICTURE, uvs)


def test_an_edit_between_two_steps_begins_the_hash_anew(cube, hashings) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    assert preview.show(target.record(), PICTURE, uvs) is None
    unchanged.advance(0.0)
    cube.data.update()
    bpy.context.view_layer.update()
    assert show(target.record(), PICTURE, uvs)
    assert len(hashings) == 2


def test_a_mesh_that_is_removed_while_it_is_hashed_is_forgotten(cube) -> None:
    target, uvs = collected(cube), loop_uvs(cube)
    assert preview.show(target.record(), PICTURE, uvs) is None
    mesh_of = cube.data
    bpy.data.objects.remove(cube)
    bpy.data.meshes.remove(mesh_of)
    unchanged.advance(0.0)
    assert not preview.show(target.record(), PICTURE, uvs)
