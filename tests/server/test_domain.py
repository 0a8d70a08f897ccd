"""The field's frame: contraction in closed form, its inverse, its shrinking, its matrix."""

import numpy as np
import pytest
import torch
from maquette_server.fields.domain import Domain

BOX = Domain((1.0, -2.0, 0.5), 0.25, unbounded=False)
PLACE = Domain((1.0, -2.0, 0.5), 0.25, unbounded=True)


def points(count: int, reach: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(count, 3, generator=generator, dtype=torch.float64) * 2 - 1) * reach


@pytest.mark.parametrize(
    ("point", "contracted"),
    [
        ((2.0, 1.0, 0.0), (1.5, 0.75, 0.0)),
        ((-10.0, 5.0, 2.5), (-1.9, 0.95, 0.475)),
        ((0.3, -1.0, 0.7), (0.3, -1.0, 0.7)),
    ],
)
def test_space_outside_is_contracted_as_published(point, contracted) -> None:
    found = PLACE.unit(torch.tensor([point], dtype=torch.float64)) * 4 - 2
    torch.testing.assert_close(found, torch.tensor([contracted], dtype=torch.float64))


def test_a_point_has_the_printed_place_in_the_unit_cube() -> None:
    found = PLACE.unit(torch.tensor([[2.0, 1.0, 0.0]]))
    assert found.tolist() == [[0.875, 0.6875, 0.5]]
    assert BOX.unit(torch.tensor([[1.0, -1.0, 0.0]])).tolist() == [[1.0, 0.0, 0.5]]


def test_everything_lands_inside_the_cube() -> None:
    unit = PLACE.unit(points(500, 1e8).float())
    assert bool(((unit >= 0) & (unit <= 1)).all())


@pytest.mark.parametrize("domain", [BOX, PLACE], ids=["box", "place"])
def test_lengths_shrink_by_the_cube_root_of_the_volume(domain: Domain) -> None:
    where = points(200, 6.0 if domain.unbounded else 1.0)
    step = 1e-6
    columns = [
        (domain.unit(where + shift) - domain.unit(where - shift)) / (2 * step)
        for shift in step * torch.eye(3, dtype=torch.float64)
    ]
    volume = torch.linalg.det(torch.stack(columns, -1)).abs()
    apart = (where.abs() - 1).abs().amin(-1) > 1e-5  # the derivative jumps on the cube's faces
    torch.testing.assert_close(domain.shrinking(where)[apart], volume[apart] ** (1 / 3), rtol=1e-5, atol=0)


@pytest.mark.parametrize("scale", [1e-9, 0.25, 1e6])
def test_a_matrix_gives_the_domain_back(scale: float) -> None:
    domain = Domain((1e3, -2.5, 0.125), scale, unbounded=True)
    found = Domain.from_matrix(domain.field_from_scene, unbounded=True)
    assert found.scale == domain.scale
    np.testing.assert_allclose(found.centre, domain.centre, rtol=1e-12)
    assert found.unbounded
    moved = domain.field_from_scene @ (*domain.centre, 1.0)
    np.testing.assert_allclose(moved, (0, 0, 0, 1), atol=1e-12)


def other(kind: str) -> np.ndarray:
    matrix = BOX.field_from_scene
    if kind == "turned":
        matrix[:3, :3] = matrix[:3, :3] @ [[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]
    elif kind == "turned, tiny":
        matrix[:3] = 1e-9 * other("turned")[:3]
    elif kind == "stretched":
        matrix[1, 1] *= 1.1
    elif kind == "mirrored":
        matrix[:3, :3] *= -1
    elif kind == "nothing":
        matrix[:3, :3] = 0
    elif kind == "projective":
        matrix[3, 2] = 0.5
    else:
        matrix[0, 0] = np.nan
    return matrix


@pytest.mark.parametrize(
    "kind", ["turned", "turned, tiny", "stretched", "mirrored", "nothing", "projective", "nan"]
)
def test_a_matrix_that_does_more_than_move_and_scale_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="moved and scaled"):
        Domain.from_matrix(other(kind), unbounded=False)
