"""Pictures and GLB files: what is written is read back."""

import contextlib
import io
import json
import struct
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import trimesh
from hypothesis import strategies as st
from maquette_server.geometry import files, unwrap
from maquette_server.media import contact_sheet, glb, png
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import Image

from tests.server import shapes


def picture(height: int = 5, width: int = 7, channels: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_comes_back_bit_for_bit_and_is_written_the_same_twice(channels: int) -> None:
    given = picture(channels=channels)
    assert png.write(given) == png.write(given.copy())
    np.testing.assert_array_equal(png.read(png.write(given)), given)


def test_every_kind_of_png_becomes_colour() -> None:
    grey = picture(channels=1)[..., 0]
    three = np.repeat(grey[..., None], 3, -1)
    np.testing.assert_array_equal(png.read(png.write(grey)), three)
    sixteen = Image.fromarray(grey.astype(np.uint16) * 257)
    np.testing.assert_array_equal(png.read(encoded(sixteen)), three)
    palette = Image.fromarray(picture()).convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_array_equal(png.read(encoded(palette)), np.asarray(palette.convert("RGB")))
    assert png.read(encoded(palette, transparency=0)).shape == (5, 7, 4)
    assert png.read(encoded(Image.fromarray(grey).convert("LA"))).shape == (5, 7, 4)
    assert png.read(encoded(Image.fromarray(grey > 127))).shape == (5, 7, 3)


def test_jpegs_are_read_as_stored() -> None:
    flat = np.full((16, 24, 3), 90, np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    read = png.read(encoded(Image.fromarray(flat), "JPEG", exif=turned))
    assert read.shape == (16, 24, 3)
    assert np.abs(read.astype(int) - 90).max() <= 2
    assert png.read(encoded(Image.fromarray(flat).convert("CMYK"), "JPEG")).shape == (16, 24, 3)


def test_what_is_no_picture_is_refused() -> None:
    whole = png.write(picture(64, 64))
    for data in (b"", b"not a picture", whole[: len(whole) // 2], encoded(Image.fromarray(picture()), "BMP")):
        with pytest.raises(UserError) as caught:
            png.read(data, code="mask.bad")
        assert caught.value.code == "mask.bad"


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
def test_decompression_bombs_are_refused_before_they_unfold(side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    import zlib

    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    body = b"IDAT" + zlib.compress(b"\0" * 1000)
    data += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    with pytest.raises(UserError, match="million pixels") as caught:
        png.read(data)
    assert caught.value.code == "texture.bad"


@hypothesis.given(st.binary(max_size=200))
def test_damaged_pngs_end_in_a_sentence(garbage: bytes) -> None:
    with contextlib.suppress(UserError):
        png.read(png.write(picture())[:40] + garbage)


def test_a_contact_sheet_lays_pictures_row_by_row_over_grey() -> None:
    pictures = [np.full((2, 3, 4), (10 * k, 0, 0, 255), np.uint8) for k in range(5)]
    pictures[1][..., 3] = 0
    sheet = contact_sheet.grid(pictures, columns=4)
    assert sheet.shape == (4, 12, 3)
    assert sheet[0, 0].tolist() == [0, 0, 0]
    assert sheet[0, 3].tolist() == list(contact_sheet.LIGHT_GREY)
    assert sheet[1, 11].tolist() == [30, 0, 0]
    assert sheet[3, 2].tolist() == [40, 0, 0]
    assert sheet[3, 11].tolist() == list(contact_sheet.LIGHT_GREY)


def document(data: bytes) -> dict[str, object]:
    length = struct.unpack("<I", data[12:16])[0]
    assert struct.unpack("<I", data[8:12])[0] == len(data)
    return json.loads(data[20 : 20 + length])  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["spot_triangulated", "teddy"])
def test_a_glb_comes_back_with_geometry_uvs_and_texture(data: Path, tmp_path: Path, name: str) -> None:
    mesh = files.load(data / "meshes" / f"{name}.obj").mesh
    uvs = mesh.corner_uvs if mesh.corner_uvs is not None else unwrap.Unwrapping(mesh, 128).wait().corner_uvs
    texture = picture(16, 16)
    path = tmp_path / "mesh.glb"
    path.write_bytes(glb.write(mesh, uvs, png.write(texture)))
    scene = trimesh.load_scene(path, process=False)
    read = next(iter(scene.geometry.values()))
    count = len(mesh.positions)
    np.testing.assert_array_equal(read.vertices[:count], mesh.positions.astype(np.float32))
    source = read.vertex_attributes["_SOURCE_VERTEX"].reshape(-1).astype(int)
    np.testing.assert_array_equal(source[:count], np.arange(count))
    np.testing.assert_array_equal(source[read.faces], mesh.triangles)
    np.testing.assert_array_equal(read.vertices, mesh.positions.astype(np.float32)[source])
    np.testing.assert_allclose(read.visual.uv[read.faces], uvs, atol=1e-6)
    material = read.visual.material
    np.testing.assert_array_equal(np.asarray(material.baseColorTexture.convert("RGB")), texture)
    assert (material.metallicFactor, material.roughnessFactor) == (0.0, 1.0)
    again = files.load(path).mesh
    assert again.corner_uvs is not None
    np.testing.assert_allclose(again.corner_uvs, uvs, atol=1e-6)


def test_v_points_down_in_the_file() -> None:
    positions, triangles = shapes.cube()
    uvs = np.zeros((12, 3, 2), np.float32)
    uvs[..., 1] = 0.25
    data = glb.write(shapes.mesh(positions, triangles), uvs, b"x")
    scene = document(data)
    view = scene["bufferViews"][scene["accessors"][1]["bufferView"]]  # type: ignore[index]
    start = len(data) - scene["buffers"][0]["byteLength"] + view["byteOffset"]  # type: ignore[index]
    np.testing.assert_array_equal(np.frombuffer(data, "<f4", 2, start), (0, 0.75))


def test_a_y_up_mesh_needs_no_matrix_and_a_blender_mesh_stands_upright() -> None:
    positions, triangles = shapes.cube()
    uvs = np.zeros((12, 3, 2), np.float32)
    plain = document(glb.write(shapes.mesh(positions, triangles), uvs, b"x"))
    assert "matrix" not in plain["nodes"][0]  # type: ignore[index]
    blender = shapes.mesh(positions, triangles, up=(0.0, 0.0, 1.0), front=(0.0, -1.0, 0.0))
    node = document(glb.write(blender, uvs, b"x"))["nodes"][0]  # type: ignore[index]
    matrix = np.array(node["matrix"]).reshape(4, 4).T
    np.testing.assert_allclose(matrix @ (1, 2, 3, 1), (1, 3, -2, 1))


def test_far_off_meshes_keep_their_digits(tmp_path: Path) -> None:
    positions, triangles = shapes.sphere(8, 12)
    far = positions + np.array([1e6, -2e6, 3e6])
    uvs = np.zeros((len(triangles), 3, 2), np.float32)
    path = tmp_path / "a.glb"
    path.write_bytes(glb.write(shapes.mesh(far, triangles), uvs, png.write(picture())))
    read = files.load(path).mesh
    np.testing.assert_allclose(read.positions[: len(far)], far, atol=1e-6)


@hypothesis.given(st.integers(0, 2**32 - 1))
def test_splitting_at_seams_gives_each_corner_its_vertex_and_uv(seed: int) -> None:
    generator = np.random.default_rng(seed)
    triangles = generator.integers(0, 6, (8, 3)).astype(np.int32)
    uvs = generator.integers(-1, 2, (8, 3, 2)).astype(np.float32) * np.float32(0.5) * -1
    source, split, vertex_uvs = glb.split_at_seams(7, triangles, uvs)
    np.testing.assert_array_equal(source[:7], np.arange(7))
    np.testing.assert_array_equal(source[split], triangles)
    np.testing.assert_array_equal(vertex_uvs[split], uvs)
    pairs = {
        (int(s), *uv) for s, uv in zip(source[split.ravel()], vertex_uvs[split.ravel()].tolist(), strict=True)
    }
    assert len(set(split.ravel().tolist())) == len(pairs)  # no copy too many
