"""Pixels to learn from: rays as their lenses say, drawn as often as their weights say."""

import dataclasses
import math
import tracemalloc

import ball_captures
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from maquette_server.cameras.lens import Lens
from maquette_server.cameras.pinhole import Pinhole
from maquette_server.fields.domain import Domain
from maquette_server.rendering.posed import CameraRays, Posed
from maquette_server.training.pixels import Drawn, Picture, Pixels
from maquette_wire.errors import UserError

DOMAIN = Domain((0.5, -1.0, 2.0), 0.25, unbounded=True)
POSES = ball_captures.poses(3)
WIDE = Lens(14, 9, 12.0, 13.0, 6.5, 4.75)
BARREL = dataclasses.replace(WIDE, model="opencv", distortion=(-0.1, 0.01, 0.0, 0.0, 0.002, -0.001))
FISHEYE = Lens(14, 9, 6.0, 6.0, 7.0, 4.5, "fisheye", (0.02, 0.0, 0.0, 0.0))


def numbered(lens: Lens, channels: int = 3, **options) -> Picture:
    """A picture whose pixels hold their own column and row."""
    rows, columns = np.mgrid[: lens.height, : lens.width]
    pixels = np.stack([columns, rows, 0 * rows + 7, 0 * rows + 255][:channels], -1).astype(np.uint8)
    return Picture(Posed(POSES[0], lens), pixels, **options)


def drawn(pictures: list[Picture], count: int = 4000) -> Drawn:
    return Pixels(pictures, DOMAIN, 0.5, 9.0).draw(count, torch.Generator().manual_seed(0))


def places(found: Drawn) -> torch.Tensor:
    """Column and row of each drawn pixel of `numbered` pictures, [R, 2]."""
    return (found.colours[:, :2] * 255).round().long()


def test_rays_of_a_pinhole_are_those_of_the_camera() -> None:
    camera = Pinhole(POSES[1], WIDE.focal_x, WIDE.focal_y, WIDE.centre_x, WIDE.centre_y, 14, 9)
    found = CameraRays([Posed(POSES[1], WIDE)], DOMAIN, 0.5, 9.0).whole(0)
    expected = torch.tensor(0.25 * camera.ray_directions().reshape(-1, 3)).float()
    torch.testing.assert_close(found.directions, expected, rtol=0, atol=1e-6)
    origin = DOMAIN.field_from_scene @ np.append(POSES[1][:3, 3], 1.0)
    torch.testing.assert_close(found.origins, torch.tensor(origin[:3]).float().expand(126, 3))
    assert found.near.unique().tolist() == [0.5]  # depths are the scene's
    assert found.far.unique().tolist() == [9.0]
    radius = 0.25 * 2 / math.sqrt(12) / math.sqrt(12.0 * 13.0)
    torch.testing.assert_close(found.radii, torch.full((126,), radius))


def test_cameras_with_and_without_distortion_keep_their_own_rays() -> None:
    lenses = [BARREL, WIDE, BARREL, FISHEYE]
    poses = [POSES[0], POSES[1], POSES[2], POSES[0]]
    cameras = CameraRays([Posed(p, one) for p, one in zip(poses, lenses, strict=True)], DOMAIN, 0.5, 9.0)
    assert len(cameras) == 4
    for number, (pose, lens) in enumerate(zip(poses, lenses, strict=True)):
        local = lens.directions(lens.pixel_centres()).reshape(-1, 3)
        expected = torch.tensor(0.25 * local @ pose[:3, :3].T).float()
        torch.testing.assert_close(cameras.whole(number).directions, expected, rtol=0, atol=1e-6)
    mixed = cameras.rays(torch.tensor([2, 1, 0, 3]), torch.tensor([17, 17, 100, 5]))
    for row, (number, pixel) in enumerate([(2, 17), (1, 17), (0, 100), (3, 5)]):
        torch.testing.assert_close(mixed.directions[row], cameras.whole(number).directions[pixel])


def test_lenses_are_undone_one_at_a_time() -> None:
    lens = Lens(160, 120, 130.0, 130.0, 80.0, 60.0, "opencv", BARREL.distortion)
    peaks = []
    for count in (1, 60):
        cameras = [Posed(POSES[0], dataclasses.replace(lens, focal_x=130.0 + k)) for k in range(count)]
        tracemalloc.start()
        CameraRays(cameras, DOMAIN, 0.5, 9.0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0], "beside the table, which is torch's"


@pytest.mark.parametrize(("near", "far"), [(2.0, 2.0), (-1.0, 3.0), (0.0, float("nan"))])
def test_rays_that_reach_nowhere_are_refused(near: float, far: float) -> None:
    with pytest.raises(ValueError, match="near depth"):
        CameraRays([Posed(POSES[0], WIDE)], DOMAIN, near, far)
    with pytest.raises(ValueError, match="no camera"):
        CameraRays([], DOMAIN, 0.0, 1.0)


@pytest.mark.parametrize("lens", [WIDE, BARREL], ids=["pinhole", "barrel"])
def test_a_drawn_ray_goes_through_the_pixel_whose_colour_it_brings(lens: Lens) -> None:
    found = drawn([numbered(lens), numbered(Lens(5, 30, 20.0, 20.0, 2.5, 15.0))], 3000)
    first = found.pictures == 0
    local = (found.rays.directions.double().numpy() / 0.25) @ POSES[0][:3, :3]
    pixels, _ = lens.project(local[first.numpy()])
    expected = places(found)[first] + 0.5
    torch.testing.assert_close(torch.tensor(pixels).float(), expected, rtol=0, atol=1e-3)
    assert int(places(found)[~first][:, 1].max()) == 29


def test_every_pixel_is_drawn_alike() -> None:
    found = drawn([numbered(WIDE)], 12_600)
    counts = (places(found)[:, 1] * 14 + places(found)[:, 0]).bincount(minlength=126)
    assert int(counts.min()) > 55
    assert int(counts.max()) < 150


@pytest.mark.parametrize("evenly", [False, True])
def test_one_huge_picture_does_not_drown_the_others(evenly: bool) -> None:
    """It counts for 16 usual ones, not for the 900 that it has the pixels of."""
    huge = Lens(14 * 30, 9 * 30, 360.0, 390.0, 195.0, 142.5)
    usual = [numbered(WIDE) for _ in range(24)]
    blank = Picture(Posed(POSES[0], huge), np.zeros((9 * 30, 14 * 30, 3), np.uint8))
    pixels = Pixels([*usual, blank], DOMAIN, 0.5, 9.0)
    found = pixels.draw(20_000, torch.Generator().manual_seed(0), evenly=evenly)
    assert float((found.pictures == 24).float().mean()) == pytest.approx(16 / 40, abs=0.02)


def test_pixels_are_drawn_as_often_as_their_weight_says() -> None:
    small = Lens(7, 9, 12.0, 13.0, 3.5, 4.5)
    pictures = [numbered(WIDE), numbered(small, weight=4.0), numbered(WIDE, weight=0.0)]
    counts = drawn(pictures, 30_000).pictures.bincount(minlength=3)
    assert float(counts[1] / counts[0]) == pytest.approx(4 * 63 / 126, rel=0.05)
    assert int(counts[2]) == 0


def test_pixels_that_are_not_known_are_never_drawn() -> None:
    known = np.zeros((9, 14), bool)
    known[2:5, 3:11] = True
    masks = (known, None, np.zeros((9, 14), bool), ~known)
    pictures = [numbered(WIDE, known=mask) for mask in masks]
    assert len(Pixels(pictures, DOMAIN, 0.5, 9.0)) == 24 + 126 + 102
    found = drawn(pictures)
    for number, mask in ((0, known), (1, np.ones_like(known)), (3, ~known)):
        columns, rows = places(found)[found.pictures == number].numpy().T
        seen = np.zeros_like(known)
        seen[rows, columns] = True
        np.testing.assert_array_equal(seen, mask)
    assert found.pictures.unique().tolist() == [0, 1, 3]


def test_drawn_pixels_know_whether_they_are_matt() -> None:
    matt = np.zeros((9, 14), bool)
    matt[2:5, 3:11] = True
    assert drawn([numbered(WIDE)]).matt is None
    found = drawn([numbered(WIDE, matt=matt), numbered(WIDE)])
    assert found.matt is not None
    columns, rows = places(found).numpy().T
    np.testing.assert_array_equal(found.matt.numpy(), matt[rows, columns] & (found.pictures == 0).numpy())


def test_colours_are_premultiplied() -> None:
    pixels = np.zeros((9, 14, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = (200, 100, 0), 51
    found = drawn([Picture(Posed(POSES[0], WIDE), pixels), numbered(WIDE)], 100)
    clear = found.pictures == 0
    expected = torch.tensor([200.0, 100, 0]) / 255 * 0.2
    torch.testing.assert_close(found.colours[clear], expected.expand(int(clear.sum()), 3))
    assert found.opacities[clear].unique().tolist() == pytest.approx([0.2])
    assert found.opacities[~clear].unique().tolist() == [1.0]


def test_pictures_that_do_not_fit_or_show_nothing_are_refused() -> None:
    wrong = Picture(Posed(POSES[0], WIDE), np.zeros((14, 9, 3), np.uint8))
    with pytest.raises(ValueError, match="does not fit"):
        Pixels([wrong], DOMAIN, 0.5, 9.0)
    hidden = numbered(WIDE, known=np.zeros((9, 14), bool))
    with pytest.raises(ValueError, match="no picture has a pixel"):
        Pixels([hidden], DOMAIN, 0.5, 9.0)
    with pytest.raises(ValueError, match="no picture has a pixel"):
        Pixels([numbered(WIDE, weight=0.0)], DOMAIN, 0.5, 9.0)


def test_a_lens_that_cannot_be_undone_is_refused_before_a_table_is_made() -> None:
    with pytest.raises(UserError, match="cannot be undone"):
        dataclasses.replace(BARREL, distortion=(-3.0, 0.0, 0.0, 0.0, 0.0, 0.0))


@given(st.integers(0, 2**31 - 1))
def test_pictures_that_were_replaced_are_drawn_as_if_they_had_been_there(seed):
    """Masks and matt places come, go and change; weights too."""
    random = np.random.default_rng(seed)

    def some(number: int) -> Picture:
        known = None if random.random() < 0.4 else random.random((WIDE.height, WIDE.width)) < 0.5
        colours = random.integers(0, 256, (WIDE.height, WIDE.width, 3), np.uint8)
        matt = None if random.random() < 0.5 else random.random((WIDE.height, WIDE.width)) < 0.5
        return Picture(Posed(POSES[number], WIDE), colours, known, float(random.integers(1, 4)), matt)

    first, then = ([some(number) for number in range(3)] for _ in range(2))
    changed = Pixels(first, DOMAIN, 0.5, 9.0)
    changed.replace({number: then[number] for number in (0, 2)})
    fresh = Pixels([then[0], first[1], then[2]], DOMAIN, 0.5, 9.0)
    assert len(changed) == len(fresh)
    pairs = [
        [pixels.draw(50, torch.Generator().manual_seed(1)) for pixels in (changed, fresh)],
        [pixels.draw_patches(3, 4, torch.Generator().manual_seed(2)) for pixels in (changed, fresh)],
    ]
    for one, other in pairs:
        assert torch.equal(one.colours, other.colours)
        assert torch.equal(one.pictures, other.pictures)
        assert (one.known is None) == (other.known is None)
        assert one.known is None or torch.equal(one.known, other.known)
        nowhere = torch.zeros_like(one.pictures, dtype=torch.bool)
        assert torch.equal(*(nowhere if each.matt is None else each.matt for each in (one, other)))
