"""Mesh files: what is read keeps its order and coordinates; what cannot be read ends in one sentence."""

import json
import struct
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import trimesh
from hypothesis import strategies as st
from maquette_server.geometry import files, obj, polygons, uv
from maquette_wire.errors import UserError

from tests.server import shapes

XYZ = b"property float x\nproperty float y\nproperty float z\n"
PLAIN = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"


def load(tmp_path: Path, name: str, data: bytes) -> files.Loaded:
    (tmp_path / name).write_bytes(data)
    return files.load(tmp_path / name)


def refusal(tmp_path: Path, name: str, data: bytes) -> UserError:
    with pytest.raises(UserError) as caught:
        load(tmp_path, name, data)
    assert name in caught.value.sentence
    assert "\n" not in caught.value.line()
    return caught.value


COUNTS = {
    "teddy": (2892, 5760, False),
    "animal": (1536, 3068, True),
    "hand_prismatic": (1002, 2000, True),
    "potion": (3329, 6654, True),
    "env_sphere": (2562, 5120, False),
    "blub": (7106, 14208, True),
    "spot_triangulated": (2930, 5856, True),
    "spot_control_mesh": (188, 160 * 2 + 16 * 3 + 4, True),
    "bunny": (2503, 4968, False),
}


@pytest.mark.parametrize("name", COUNTS)
def test_real_meshes_have_the_counts_that_are_known_of_them(data: Path, name: str) -> None:
    mesh = files.load(data / "meshes" / f"{name}.obj").mesh
    assert (len(mesh.positions), len(mesh.triangles), mesh.corner_uvs is not None) == COUNTS[name]
    lines = (data / "meshes" / f"{name}.obj").read_text().splitlines()
    first = next(line for line in lines if line.startswith("v "))
    np.testing.assert_array_equal(mesh.positions[0], [float(word) for word in first.split()[1:4]])


def test_partial_uvs_are_told_and_not_used(data: Path) -> None:
    mesh = files.load(data / "meshes" / "teddy.obj").mesh
    assert mesh.corner_uvs is None
    assert "3840 of 5760" in mesh.notes[0]


def test_every_way_to_write_a_face_gives_the_same_triangles(tmp_path: Path) -> None:
    expected = load(tmp_path, "a.obj", PLAIN + b"f 1 2 3\nf 1 3 4\n").mesh.triangles
    for number, text in enumerate(
        [
            b"f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n",
            b"vn 0 0 1\nf 1//1 2//1 3//1\nf 1//1 3//1 4//1\n",
            b"vn 0 0 1\nf 1/1/1 2/2/1 3/3/1\nf 1/1/1 3/3/1 4/4/1\n",
            b"f -4 -3 -2\nf -4 -2 -1\n",
            b"f 1/1 2 3//\nf -4/-4 3/3 4\n",
            b"  f\t1   2 3 # corner\r\nf 1 3 \\\n 4\n",
        ]
    ):
        found = load(tmp_path, f"b{number}.obj", PLAIN + text).mesh.triangles
        np.testing.assert_array_equal(found, expected)


def test_negative_indices_count_from_the_faces_own_line(tmp_path: Path) -> None:
    text = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nv 0 0 5\nv 1 0 5\nv 0 1 5\nf -3 -2 -1\n"
    np.testing.assert_array_equal(load(tmp_path, "a.obj", text).mesh.triangles, [[0, 1, 2], [3, 4, 5]])


def test_the_first_materials_colour_is_read_from_the_files_own_folder_only(tmp_path: Path) -> None:
    (tmp_path / "a.mtl").write_bytes(b"newmtl other\nKd 0 0 0\nnewmtl red\nKd 1 0.5 0\n")
    text = b"mtllib a.mtl\n" + PLAIN + b"usemtl red\nf 1 2 3\n"
    assert load(tmp_path, "a.obj", text).mesh.base_colour == (1.0, 0.5, 0.0)
    folder = tmp_path / "deeper"
    folder.mkdir()
    assert load(folder, "a.obj", text.replace(b"a.mtl", b"../a.mtl")).mesh.base_colour is None


def test_obj_written_back_has_the_same_polygons_and_vertex_lines(data: Path, tmp_path: Path) -> None:
    source = data / "meshes" / "spot_control_mesh.obj"
    loaded = files.load(source)
    assert loaded.polygons is not None
    assert loaded.mesh.corner_uvs is not None
    loops = uv.loop_uvs(loaded.mesh, loaded.mesh.corner_uvs)
    obj.write_polygons(tmp_path / "mesh.obj", loaded.polygons, loops, "texture.png")
    again = files.load(tmp_path / "mesh.obj")
    assert again.polygons is not None
    np.testing.assert_array_equal(again.polygons.starts, loaded.polygons.starts)
    np.testing.assert_array_equal(again.polygons.vertices, loaded.polygons.vertices)
    np.testing.assert_array_equal(again.mesh.corner_uvs, loaded.mesh.corner_uvs)
    given = [line for line in source.read_text().splitlines() if line.startswith("v ")]
    written = [line for line in (tmp_path / "mesh.obj").read_text().splitlines() if line.startswith("v ")]
    assert given == written
    assert "map_Kd texture.png" in (tmp_path / "mesh.mtl").read_text()


def test_a_concave_polygon_is_cut_without_leaving_it(tmp_path: Path) -> None:
    arrow = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [1, 0.5, 0], [0, 2, 0]], float)
    cut = polygons.cut(np.array([0, 5]), arrow)
    corners = arrow[cut.loops]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    assert (area > 0).all()
    assert area.sum() == pytest.approx(4 - 0.5 * 2 * 1.5)
    fan = np.array([[0, 0, 0], [2, 0, 0], [0.2, 0.2, 0], [0, 2, 0]], float)
    for turn in range(4):
        turned = np.roll(fan, turn, 0)
        corners = turned[polygons.cut(np.array([0, 4]), turned).loops]
        area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
        assert (area > 0).all()


@hypothesis.given(st.lists(st.integers(3, 9), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_cutting_uses_every_corner_and_keeps_the_area_vector(sizes: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts = []
    for size in sizes:
        angle = np.sort(generator.uniform(0, 2 * np.pi, size))
        radius = generator.uniform(0.3, 1, size)
        flat = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(size)], 1)
        rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
        parts.append(flat @ rotation.T + generator.normal(size=3))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    corners = np.concatenate(parts)
    cut = polygons.cut(starts, corners)
    assert set(cut.loops.reshape(-1).tolist()) == set(range(len(corners)))
    assert (np.diff(cut.polygons) >= 0).all()
    triangle = corners[cut.loops]
    vectors = np.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0])
    for number, part in enumerate(parts):
        newell = np.cross(part, np.roll(part, -1, 0)).sum(0)
        np.testing.assert_allclose(vectors[cut.polygons == number].sum(0), newell, atol=1e-9)


@pytest.mark.parametrize("suffix", ["ply", "stl", "off", "glb"])
def test_other_formats_give_the_same_surface_in_the_same_order(tmp_path: Path, suffix: str) -> None:
    positions, triangles = shapes.sphere(6, 9)
    trimesh.Trimesh(positions, triangles, process=False).export(tmp_path / f"a.{suffix}")
    mesh = files.load(tmp_path / f"a.{suffix}").mesh
    np.testing.assert_allclose(mesh.positions[mesh.triangles], positions[triangles], atol=1e-6)
    if suffix != "stl":  # the order of a soup's vertices is that of their first use
        np.testing.assert_array_equal(mesh.triangles, triangles)
    assert len(mesh.positions) == len(positions)


@pytest.mark.parametrize("encoding", ["ascii", "binary"])
def test_ply_keeps_polygons_and_vertex_uvs(tmp_path: Path, encoding: str) -> None:
    kind = "ascii" if encoding == "ascii" else "binary_little_endian"
    head = (
        f"ply\nformat {kind} 1.0\ncomment x\nelement vertex 5\n{XYZ.decode()}"
        "property uchar red\nproperty float s\nproperty float t\nelement face 2\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    rows = [
        (0, 0, 0, 9, 0, 0),
        (1, 0, 0, 9, 1, 0),
        (1, 1, 0, 9, 1, 1),
        (0, 1, 0, 9, 0, 1),
        (0, 0, 1, 9, 0.5, 0.5),
    ]
    faces = [(0, 1, 2, 3), (0, 1, 4)]
    if encoding == "ascii":
        body = "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()
        body += "".join(f"{len(face)} " + " ".join(map(str, face)) + "\n" for face in faces).encode()
    else:
        body = b"".join(struct.pack("<fffBff", *row) for row in rows)
        body += b"".join(struct.pack(f"<B{len(face)}i", len(face), *face) for face in faces)
    loaded = load(tmp_path, "a.ply", head.encode() + body)
    assert loaded.polygons is not None
    np.testing.assert_array_equal(loaded.polygons.starts, [0, 4, 7])
    np.testing.assert_array_equal(loaded.mesh.triangles, [[0, 1, 2], [0, 2, 3], [0, 1, 4]])
    assert loaded.mesh.corner_uvs is not None
    np.testing.assert_allclose(loaded.mesh.corner_uvs[2], [[0, 0], [1, 0], [0.5, 0.5]])


def test_a_glb_scene_is_joined_in_its_world(tmp_path: Path) -> None:
    positions, triangles = shapes.cube()
    mirrored = np.diag([-2.0, 1.0, 1.0, 1.0])
    mirrored[:3, 3] = (10, 0, 0)
    scene = trimesh.Scene()
    box = trimesh.Trimesh(positions, triangles, process=False)
    scene.add_geometry(box, node_name="a", geom_name="box")
    scene.add_geometry(box, node_name="b", geom_name="box", transform=mirrored)
    scene.export(tmp_path / "a.glb")
    mesh = files.load(tmp_path / "a.glb").mesh
    assert len(mesh.triangles) == 24
    corners = mesh.positions[mesh.triangles]
    volume = np.einsum("tc,tc->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert volume.sum() == pytest.approx(8 + 16)  # the mirrored part still faces outwards
    np.testing.assert_allclose([mesh.positions[:, 0].min(), mesh.positions[:, 0].max()], [-1, 12], atol=1e-6)


def bad_glb(change: dict[str, object]) -> bytes:
    document: dict[str, object] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteOffset": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}],
    }
    text = json.dumps(document | change).encode()
    text += b" " * (-len(text) % 4)
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", 36, b"BIN\0") + points
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def test_hostile_glbs_are_refused(tmp_path: Path) -> None:
    (tmp_path.parent / "secret.bin").write_bytes(bytes(36))
    accessor = {"componentType": 5126, "count": 10**12, "type": "VEC3"}
    for number, change in enumerate(
        [
            {"accessors": [accessor]},
            {"buffers": [{"byteLength": 36, "uri": "../secret.bin"}]},
            {"buffers": [{"byteLength": 36, "uri": "http://127.0.0.1:9/a.bin"}]},
            {"nodes": [{"mesh": 0, "children": [1, 1]}, {"mesh": 0}]},
            {"extensionsRequired": ["KHR_draco_mesh_compression"]},
            {"nodes": 7},
            {"accessors": [accessor | {"count": "x"}]},
        ]
    ):
        assert refusal(tmp_path, f"a{number}.glb", bad_glb(change)).code == "mesh.bad"
    whole = bad_glb({})
    assert len(load(tmp_path, "good.glb", whole).mesh.triangles) == 1
    for length in (1, 11, 19, 40, len(whole) - 20):
        assert refusal(tmp_path, f"cut{length}.glb", whole[:length]).code == "mesh.bad"


def test_each_fault_of_a_file_has_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file") as caught:
        files.load(tmp_path / "none.obj")
    assert caught.value.code == "mesh.missing"
    (tmp_path / "folder.obj").mkdir()
    with pytest.raises(UserError, match="not a file"):
        files.load(tmp_path / "folder.obj")
    with pytest.raises(UserError):
        files.load("a\0b.obj")
    assert refusal(tmp_path, "a.obj", b"").code == "mesh.empty"
    assert refusal(tmp_path, "a.txt", PLAIN).code == "mesh.bad"
    assert refusal(tmp_path, "points.obj", PLAIN).code == "mesh.empty"
    assert refusal(tmp_path, "nan.obj", PLAIN + b"v nan 0 0\nf 1 2 5\n").code == "mesh.not_finite"
    assert refusal(tmp_path, "inf.obj", PLAIN + b"v 1e999 0 0\nf 1 2 5\n").code == "mesh.not_finite"
    assert (
        refusal(tmp_path, "line.obj", b"v 0 0 0\nv 1 1 1\nv 2 2 2\nf 1 2 3\nf 1 1 2\n").code
        == "mesh.degenerate"
    )
    assert refusal(tmp_path, "index.obj", PLAIN + b"f 1 2 99\n").code == "mesh.bad"
    assert refusal(tmp_path, "zero.obj", PLAIN + b"f 0 1 2\n").code == "mesh.bad"
    assert refusal(tmp_path, "word.obj", PLAIN + b"f a b c\n").code == "mesh.bad"
    assert refusal(tmp_path, "short.obj", b"v 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n").code == "mesh.bad"
    assert refusal(tmp_path, "picture.obj", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").code == "mesh.bad"
    assert (
        refusal(tmp_path, "long.obj", PLAIN + b"v " + b"1" * 10_000 + b" 0 0\nf 1 2 5\n").code == "mesh.bad"
    )
    with pytest.raises(UserError) as caught:
        files.load(tmp_path / "a.txt", up=(0, 1, 0), front=(0, 2, 0))
    assert caught.value.code == "params.bad"


def test_headers_that_announce_too_much_are_refused(tmp_path: Path) -> None:
    ply = b"ply\nformat %s 1.0\nelement vertex 4000000000\n" + XYZ + b"end_header\n"
    for kind in (b"ascii", b"binary_little_endian", b"binary_big_endian"):
        assert refusal(tmp_path, "a.ply", ply % kind).code == "mesh.bad"
    lists = (
        b"ply\nformat binary_little_endian 1.0\nelement vertex 1\n"
        + XYZ
        + b"element face 1\nproperty list uint int vertex_indices\nend_header\n"
    )
    assert refusal(tmp_path, "b.ply", lists + bytes(12) + b"\xff\xff\xff\xff" + bytes(12)).code == "mesh.bad"
    assert refusal(tmp_path, "a.off", b"OFF\n4000000000 4000000000 0\n0 0 0\n").code == "mesh.bad"
    assert refusal(tmp_path, "a.stl", bytes(80) + b"\xff\xff\xff\xff" + bytes(50)).code == "mesh.bad"


def test_more_faces_than_accepted_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FACES", 1)
    assert refusal(tmp_path, "a.obj", PLAIN + b"f 1 2 3\nf 1 3 4\n").code == "mesh.too_large"


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=120)
@hypothesis.given(st.sampled_from(files.SUFFIXES), st.binary(max_size=300), st.booleans())
def test_garbage_ends_in_one_sentence(tmp_path: Path, suffix: str, garbage: bytes, headed: bool) -> None:
    heads = {
        ".obj": PLAIN + b"f ",
        ".ply": b"ply\nformat ascii 1.0\nelement vertex 3\n"
        + XYZ
        + b"element face 1\nproperty list uchar int vertex_indices\nend_header\n",
        ".glb": bad_glb({})[:60],
        ".gltf": b'{"asset":{"version":"2.0"},"meshes":[',
        ".stl": b"solid\n vertex ",
        ".off": b"OFF\n3 1 0\n",
    }
    refusals = []
    try:
        load(tmp_path, f"a{suffix}", (heads[suffix] if headed else b"") + garbage)
    except UserError as error:
        refusals.append(error)
    assert all(error.code.startswith("mesh.") and "\n" not in error.line() for error in refusals)
