"""Facts about collecting a mesh, inside Blender."""

import importlib
import math

import bpy
import numpy as np
import pytest

MODULE = "bl_ext.user_default.maquette"
mesh = importlib.import_module(f"{MODULE}.collect.mesh")
triangles = importlib.import_module(f"{MODULE}.collect.triangles")
arrays = importlib.import_module(f"{MODULE}.wire.arrays")
errors = importlib.import_module(f"{MODULE}.wire.errors")
target = importlib.import_module(f"{MODULE}.target")
png = importlib.import_module(f"{MODULE}.png")
steps = importlib.import_module(f"{MODULE}.steps")


@pytest.fixture(autouse=True)
def cube():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=MODULE)
    bpy.ops.mesh.primitive_cube_add()
    return bpy.context.object


def collect(thing, **wish):
    bpy.context.view_layer.update()
    given, target = mesh.collect(bpy.context.evaluated_depsgraph_get(), thing, mesh.Wish(**wish))
    return given, target


def read(given, ref):
    return arrays.from_bytes(ref.dtype, ref.shape, given.blobs[ref.digest])


def refused(thing, **wish):
    with pytest.raises(errors.UserError) as caught:
        collect(thing, **wish)
    assert thing.name in caught.value.sentence
    assert caught.value.hint
    return caught.value.code


def test_a_cube_is_twelve_triangles_that_look_outwards(cube) -> None:
    given, target = collect(cube)
    sent = given.inputs[0]
    points, triangles = read(given, sent.positions), read(given, sent.triangles)
    assert points.shape == (8, 3)
    assert triangles.shape == (12, 3)
    a, b, c = points[triangles].transpose(1, 0, 2)
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) > 0).all()
    polygons, loops = read(given, sent.triangle_polygons), read(given, sent.triangle_loops)
    assert np.array_equal(np.bincount(polygons), [2] * 6)
    assert sent.loop_count == 24
    vertices = np.array([loop.vertex_index for loop in cube.data.loops])
    assert np.array_equal(vertices[loops], triangles)
    uvs = np.array([tuple(entry.vector) for entry in cube.data.uv_layers[0].uv])
    assert np.allclose(read(given, sent.corner_uvs), uvs[loops])
    assert (target.name, target.carried, target.slots) == ("Cube", False, ())
    assert len(given.inputs) == 1


def test_nothing_is_rotated_or_scaled(cube) -> None:
    cube.location, cube.scale = (1, 2, 3), (1, 1, -2.4)
    cube.rotation_euler = (0, 0, math.pi / 2)
    given, _ = collect(cube, front="X")
    sent = given.inputs[0]
    assert np.allclose(np.abs(read(given, sent.positions)), 1)
    assert np.allclose(sent.world_from_object, np.array(cube.matrix_world))
    assert np.linalg.det(np.array(sent.world_from_object)) < 0
    assert sent.up == (0, 0, 1)
    assert sent.front == (1, 0, 0)


def test_modifiers_that_keep_the_topology_are_sent_as_the_viewport_shows_them(cube) -> None:
    cube.modifiers.new("Displace", "DISPLACE").strength = 1.0
    given, target = collect(cube)
    lengths = np.linalg.norm(read(given, given.inputs[0].positions), axis=1)
    assert np.allclose(lengths, lengths[0])
    assert not np.isclose(lengths[0], math.sqrt(3))
    assert not target.carried


def test_subdivision_is_sent_with_the_uvs_it_carries(cube) -> None:
    cube.modifiers.new("Subdivision", "SUBSURF").levels = 2
    given, target = collect(cube)
    sent = given.inputs[0]
    assert sent.positions.shape == (98, 3)
    assert sent.loop_count == 96 * 4
    assert target.carried
    assert target.uv_layer == "UVMap"


def test_subdivision_without_a_uv_map_is_refused_with_a_way_out(cube) -> None:
    cube.data.uv_layers.remove(cube.data.uv_layers[0])
    collect(cube)
    cube.modifiers.new("Subdivision", "SUBSURF")
    assert refused(cube) == "mesh.no_uv"


def test_a_mirror_that_doubles_the_uv_map_is_refused(cube) -> None:
    cube.modifiers.new("Mirror", "MIRROR")
    cube.location.x = 4
    for vertex in cube.data.vertices:
        vertex.co.x += 3
    assert refused(cube) == "mesh.no_uv"


def test_a_mesh_without_faces_or_with_broken_numbers_is_refused(cube) -> None:
    cube.data.vertices[0].co.x = math.nan
    assert refused(cube) == "mesh.not_finite"
    empty = bpy.data.objects.new("Nothing", bpy.data.meshes.new("Nothing"))
    bpy.context.collection.objects.link(empty)
    assert refused(empty) == "mesh.empty"
    bpy.ops.object.text_add()
    assert refused(bpy.context.object) == "target.bad"


def test_selected_faces_become_weights(cube) -> None:
    for polygon in cube.data.polygons:
        polygon.select = polygon.index in {1, 4}
    given, target = collect(cube, mask_mode="FACES")
    sent = given.inputs[0]
    weights, polygons = read(given, sent.corner_weights), read(given, sent.triangle_polygons)
    assert np.array_equal(weights, np.repeat(np.isin(polygons, [1, 4])[:, None], 3, axis=1))
    assert target.slots == (0,)


def test_selected_faces_go_through_a_subdivision(cube) -> None:
    for polygon in cube.data.polygons:
        polygon.select = polygon.index == 2
    cube.modifiers.new("Subdivision", "SUBSURF").levels = 1
    given, _ = collect(cube, mask_mode="FACES")
    assert np.isclose(read(given, given.inputs[0].corner_weights).mean(), 1 / 6)


def test_a_vertex_group_keeps_its_weights(cube) -> None:
    group = cube.vertex_groups.new(name="Top")
    top = [v.index for v in cube.data.vertices if v.co.z > 0]
    group.add(top, 0.25, "REPLACE")
    given, _ = collect(cube, mask_mode="VERTEX_GROUP", vertex_group="Top")
    weights = read(given, given.inputs[0].corner_weights)
    assert np.allclose(weights, np.where(np.isin(read(given, given.inputs[0].triangles), top), 0.25, 0))


def test_a_material_slot_is_a_mask_and_names_the_slot_that_is_replaced(cube) -> None:
    for name in "AB":
        cube.data.materials.append(bpy.data.materials.new(name))
    cube.data.polygons[3].material_index = 1
    given, target = collect(cube, mask_mode="SLOT", slot=1)
    assert read(given, given.inputs[0].corner_weights).sum() == 6
    assert target.slots == (1,)


def test_masks_that_cannot_be_used_are_refused(cube) -> None:
    for polygon in cube.data.polygons:
        polygon.select = False
    assert refused(cube, mask_mode="FACES") == "mask.bad"
    assert refused(cube, mask_mode="VERTEX_GROUP", vertex_group="none") == "mask.bad"
    assert refused(cube, mask_mode="SLOT", slot=1) == "mask.bad"
    for name in "AB":
        cube.data.materials.append(bpy.data.materials.new(name))
    cube.data.polygons[0].material_index = 1
    for polygon in cube.data.polygons:
        polygon.select = True
    assert refused(cube, mask_mode="FACES") == "mask.bad"
    cube.data.uv_layers.remove(cube.data.uv_layers[0])
    cube.data.update_tag()
    assert refused(cube, mask_mode="SLOT", slot=0) == "mesh.no_uv"


def textured(cube, image):
    material = bpy.data.materials.new("Old")
    if material.node_tree is None:
        material.use_nodes = True
    tree = material.node_tree
    picture = tree.nodes.new("ShaderNodeTexImage")
    picture.image = image
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    cube.data.materials.append(material)
    return tree


def test_a_masked_mesh_brings_its_texture_bit_for_bit(cube) -> None:
    data = png.encode(np.random.default_rng(0).integers(0, 256, (8, 8, 4), dtype=np.uint8))
    image = bpy.data.images.new("Old", 8, 8)
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    textured(cube, image)
    given, _ = collect(cube)
    assert len(given.inputs) == 1
    given, _ = collect(cube, mask_mode="SLOT")
    assert given.blobs[given.inputs[1].image.digest] == data


def test_a_texture_painted_in_blender_is_written_as_png(cube) -> None:
    image = bpy.data.images.new("Drawn", 4, 2, alpha=True)
    values = np.random.default_rng(0).integers(0, 256, (2, 4, 4), dtype=np.uint8)
    image.pixels.foreach_set((values[::-1].astype(np.float32) / 255).ravel())
    textured(cube, image)
    given, _ = collect(cube, mask_mode="SLOT")
    assert given.blobs[given.inputs[1].image.digest] == png.encode(values)


def test_the_layout_of_the_present_texture_is_sent(cube) -> None:
    cube.data.uv_layers.new(name="Second")
    cube.data.uv_layers["Second"].uv.foreach_set("vector", np.full(48, 0.5, np.float32))
    tree = textured(cube, bpy.data.images.new("Old", 4, 4))
    node = tree.nodes.new("ShaderNodeUVMap")
    node.uv_map = "Second"
    picture = next(n for n in tree.nodes if n.type == "TEX_IMAGE")
    tree.links.new(node.outputs["UV"], picture.inputs["Vector"])
    given, target = collect(cube)
    assert target.uv_layer == "Second"
    assert (read(given, given.inputs[0].corner_uvs) == 0.5).all()


def test_the_plain_colour_is_sent_coded(cube) -> None:
    material = bpy.data.materials.new("Plain")
    if material.node_tree is None:
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (0.5, 0.0, 1.0, 1.0)
    cube.data.materials.append(material)
    given, _ = collect(cube)
    assert np.allclose(given.inputs[0].base_colour, (0.7353570, 0.0, 1.0), atol=1e-6)


def test_a_duplicate_gets_an_id_of_its_own(cube) -> None:
    _, first = collect(cube)
    bpy.ops.object.duplicate()
    _, second = collect(bpy.context.object)
    assert first.uid != second.uid
    assert first.digest == second.digest
    assert collect(cube)[1].uid == first.uid


@pytest.mark.parametrize("counted", [1, 7, 4096])
def test_the_starts_of_polygons_are_counted_in_steps(cube, monkeypatch, counted) -> None:
    monkeypatch.setattr(target, "COUNTED", counted)
    thing = crumpled()
    first = [polygon.loop_start for polygon in thing.data.polygons]
    assert len(list(target.start_steps(thing.data))) > len(thing.data.loop_triangles) // counted
    assert target.polygon_starts(thing.data).tolist() == [*first, len(thing.data.loops)]


def test_fifty_thousand_quads_are_collected_whole(cube) -> None:
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=223, y_subdivisions=223)
    given, _ = collect(bpy.context.object)
    assert given.inputs[0].triangles.shape == (223 * 223 * 2, 3)


def crumpled(side=60):
    """Quads with dents and folds, triangles, and polygons with six corners, row by row."""
    chance = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(side + 1), np.arange(side + 1))
    points = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3) + chance.normal(size=((side + 1) ** 2, 3)) * 0.3
    faces = []
    for row in range(side):
        for column in range(0, side, 2):
            a, b, c = (row * (side + 1) + column + k for k in range(3))
            d, e, f = (corner + side + 1 for corner in (a, b, c))
            faces += [
                [(a, b, e, d), (b, c, f, e)],
                [(a, b, e), (a, e, d), (b, c, f, e)],
                [(a, b, c, f, e, d)],
            ][row % 3]
    made = bpy.data.meshes.new("Crumpled")
    made.from_pydata(points.tolist(), [], faces)
    made.uv_layers.new(name="UVMap")
    thing = bpy.data.objects.new("Crumpled", made)
    bpy.context.collection.objects.link(thing)
    return thing


@pytest.mark.parametrize("one_by_one", [0, 1000])
def test_polygons_are_cut_as_blender_cuts_them(cube, monkeypatch, one_by_one) -> None:
    thing = crumpled()
    sizes = {polygon.loop_total for polygon in thing.data.polygons}
    assert sizes == {3, 4, 6}
    monkeypatch.setattr(triangles, "ONE_BY_ONE", one_by_one)
    given, _ = collect(thing)
    cut = thing.data.loop_triangles
    thing.data.calc_loop_triangles()
    sent = given.inputs[0]
    assert np.array_equal(read(given, sent.triangle_loops), [tuple(one.loops) for one in cut])
    assert np.array_equal(read(given, sent.triangles), [tuple(one.vertices) for one in cut])
    assert np.array_equal(read(given, sent.triangle_polygons), [one.polygon_index for one in cut])


def test_an_edit_after_reading_changes_nothing(cube) -> None:
    before, target = collect(cube)
    reading = mesh.read(bpy.context.evaluated_depsgraph_get(), cube, mesh.Wish())
    going = mesh.input_steps(reading)
    next(going)
    for vertex in cube.data.vertices:
        vertex.co *= 2
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.subdivide()
    bpy.ops.object.mode_set(mode="OBJECT")
    after, found = steps.at_once(going)
    assert after.inputs == before.inputs
    assert found == target
    assert {key: bytes(data) for key, data in after.blobs.items()} == {
        key: bytes(data) for key, data in before.blobs.items()
    }


def test_stacked_faces_are_found_in_every_step(cube) -> None:
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=80, y_subdivisions=80)
    grid = bpy.context.object
    assert len(grid.data.polygons) > steps.FACES
    grid.modifiers.new("Array", "ARRAY").count = 2
    assert refused(grid) == "mesh.no_uv"


def test_the_work_yields_about_what_was_announced(cube) -> None:
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=80, y_subdivisions=80)
    reading = mesh.read(bpy.context.evaluated_depsgraph_get(), bpy.context.object, mesh.Wish())
    assert 0.9 < sum(mesh.input_steps(reading)) / reading.size < 1.1
