"""The mesh of a request: what a client sends is taken as it is meant, or refused."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from maquette_server.methods import mesh_input
from maquette_wire import arrays, messages
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from tests.server import shapes

POSITIONS, TRIANGLES = shapes.cube()


class Sender:
    """Makes references and gives the arrays back."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def keep(self, array: NDArray[Any]) -> arrays.ArrayRef:
        dtype, shape, data = arrays.to_bytes(array)
        digest = arrays.digest_of(data)
        self.blobs[digest] = data
        return arrays.ArrayRef(dtype=dtype, shape=shape, digest=digest)

    def array(self, reference: arrays.ArrayRef) -> NDArray[Any]:
        return arrays.from_bytes(reference.dtype, reference.shape, self.blobs[reference.digest])

    def mesh(self, **parts: Any) -> Any:
        sent = {"positions": POSITIONS.astype(np.float32), "triangles": TRIANGLES} | parts
        fields = {
            key: self.keep(value) if isinstance(value, np.ndarray) else value for key, value in sent.items()
        }
        return mesh_input.mesh_of(messages.MeshInput(name="Cube", **fields), self.array)


def matrix(values: NDArray[np.float64]) -> Any:
    return tuple(tuple(row) for row in values.tolist())


def test_a_mesh_arrives_in_world_coordinates() -> None:
    loops = np.arange(36, dtype=np.int32).reshape(12, 3)
    world = np.diag([1.0, 2.0, 3.0, 1.0])
    world[:3, 3] = (1e6, 0, 0)
    mesh = Sender().mesh(
        corner_uvs=np.zeros((12, 3, 2), np.float32),
        corner_weights=np.ones((12, 3), np.float32),
        triangle_polygons=np.repeat(np.arange(6, dtype=np.int32), 2),
        triangle_loops=loops,
        loop_count=36,
        world_from_object=matrix(world),
        up=(0, 0, 2),
        front=(0, -1, 0),
        base_colour=(0.5, 2.0, -1.0),
    )
    np.testing.assert_allclose(mesh.positions, POSITIONS * (1, 2, 3) + (1e6, 0, 0))
    assert mesh.positions.dtype == np.float64
    assert (mesh.up, mesh.front, mesh.base_colour) == ((0, 0, 1), (0, -1, 0), (0.5, 1.0, 0.0))
    np.testing.assert_array_equal(mesh.triangle_loops, loops)
    assert any("far from the origin" in note for note in mesh.notes)


def test_a_mirrored_object_is_turned_with_its_corner_data() -> None:
    loops = np.arange(36, dtype=np.int32).reshape(12, 3)
    uvs = np.random.default_rng(0).random((12, 3, 2)).astype(np.float32)
    mesh = Sender().mesh(
        triangle_loops=loops,
        loop_count=36,
        corner_uvs=uvs,
        world_from_object=matrix(np.diag([-1.0, 1, 1, 1])),
    )
    np.testing.assert_array_equal(TRIANGLES.reshape(-1)[mesh.triangle_loops], mesh.triangles)
    np.testing.assert_array_equal(uvs.reshape(-1, 2)[mesh.triangle_loops], mesh.corner_uvs)
    corners = mesh.positions[mesh.triangles]
    assert np.einsum(
        "tc,tc->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])
    ).sum() / 6 == pytest.approx(8)


BIG = np.full((4, 4), np.nan)
PERSPECTIVE = np.eye(4)
PERSPECTIVE[3, 0] = 1


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("mesh.empty", {"triangles": np.zeros((0, 3), np.int32)}),
        ("mesh.degenerate", {"triangles": np.zeros((4, 3), np.int32)}),
        ("mesh.not_finite", {"positions": np.full((8, 3), np.nan, np.float32)}),
        ("mesh.not_finite", {"positions": np.full((8, 3), 1e300)}),
        ("input.bad", {"triangles": TRIANGLES + 1}),
        ("input.bad", {"triangles": -TRIANGLES}),
        ("input.bad", {"triangles": TRIANGLES.reshape(-1)}),
        ("input.bad", {"triangles": TRIANGLES.astype(np.float32)}),
        ("input.bad", {"positions": np.zeros((8, 2), np.float32)}),
        ("input.bad", {"positions": np.zeros((8, 3), np.int32)}),
        ("input.bad", {"corner_uvs": np.zeros((11, 3, 2), np.float32)}),
        ("input.bad", {"corner_weights": np.zeros((12, 2), np.float32)}),
        ("mask.bad", {"corner_weights": np.full((12, 3), np.nan, np.float32)}),
        ("mask.bad", {"corner_weights": np.full((12, 3), 1.5, np.float32)}),
        ("input.bad", {"triangle_polygons": np.full(12, -1, np.int32)}),
        ("input.bad", {"triangle_loops": np.full((12, 3), 36, np.int32), "loop_count": 36}),
        ("mesh.too_large", {"triangle_loops": np.zeros((12, 3), np.int32), "loop_count": 10**12}),
        ("input.bad", {"world_from_object": matrix(BIG)}),
        ("input.bad", {"world_from_object": matrix(PERSPECTIVE)}),
        ("params.bad", {"up": (0, 0, 0)}),
        ("params.bad", {"up": (0, 0, 1), "front": (0, 0, 1)}),
    ],
)
def test_what_does_not_fit_is_refused(code: str, parts: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        Sender().mesh(**parts)
    assert caught.value.code == code
    assert "\n" not in caught.value.line()


def test_uvs_that_are_not_finite_are_left_out_with_a_note() -> None:
    mesh = Sender().mesh(corner_uvs=np.full((12, 3, 2), np.nan, np.float32))
    assert mesh.corner_uvs is None
    assert "not finite" in mesh.notes[0]
    assert dataclasses.is_dataclass(mesh)
