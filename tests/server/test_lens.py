"""Lenses: pixels become directions and come back; what no lens can do is refused."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from maquette_server.cameras.lens import Lens
from maquette_server.cameras.pinhole import Pinhole
from maquette_wire.errors import UserError

FOX = Lens(
    360,
    640,
    458.50666666666666,
    458.16333333333336,
    184.85266666666666,
    321.75600000000003,
    "opencv",
    (0.0578421, -0.0805099, 0.0, 0.0, -0.000980296, 0.00015575),
)
FISHEYE = Lens(400, 300, 120.0, 121.0, 203.0, 148.0, "fisheye", (0.03, -0.01, 0.002, -0.0001))


def refusal(*arguments: object) -> UserError:
    with pytest.raises(UserError) as caught:
        Lens(*arguments)  # type: ignore[arg-type]
    assert caught.value.code == "dataset.bad"
    assert "\n" not in caught.value.line()
    return caught.value


@pytest.mark.parametrize("lens", [FOX, FISHEYE], ids=["fox", "fisheye"])
def test_every_pixel_goes_out_and_comes_back(lens: Lens) -> None:
    pixels = lens.pixel_centres()
    assert pixels.shape == (lens.height, lens.width, 2)
    directions = lens.directions(pixels)
    found, depth = lens.project(directions * 3.7)
    np.testing.assert_allclose(found, pixels, atol=1e-6)
    np.testing.assert_allclose(depth, -3.7 * directions[..., 2])


def test_a_lens_without_distortion_is_a_pinhole() -> None:
    lens = Lens(20, 15, 30.0, 40.0, 7.0, 11.0)
    camera = Pinhole(np.eye(4), 30.0, 40.0, 7.0, 11.0, 20, 15)
    np.testing.assert_array_equal(lens.directions(lens.pixel_centres()), camera.ray_directions())
    flat = Lens(20, 15, 30.0, 40.0, 7.0, 11.0, "opencv", (0.0,) * 6)
    np.testing.assert_array_equal(flat.directions(lens.pixel_centres()), camera.ray_directions())


def test_distortion_is_opencvs() -> None:
    k1, k2, k3, k4, p1, p2 = terms = (0.1, -0.05, 0.02, -0.004, 0.003, -0.002)
    lens = Lens(800, 600, 400.0, 410.0, 390.0, 310.0, "opencv", terms)
    x, y = 0.3, -0.25  # OpenCV's y goes down
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + k4 * r2**4
    u = 390 + 400 * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x))
    v = 310 + 410 * (y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y)
    pixel, depth = lens.project(2.0 * np.array([x, -y, -1.0]))
    np.testing.assert_allclose(pixel, (u, v), atol=1e-12)
    assert depth == 2.0
    np.testing.assert_allclose(lens.directions(np.array([u, v])), (x, -y, -1.0), atol=1e-9)


def test_a_plain_fisheye_measures_angles_and_looks_backwards() -> None:
    lens = Lens(800, 800, 200.0, 200.0, 400.0, 400.0, "fisheye", (0.0,) * 4)
    angles = np.array([0.0, 0.5, math.pi / 2, 1.9])
    directions = lens.directions(np.stack([400 + 200 * angles, np.full(4, 400.0)], -1))
    np.testing.assert_allclose(
        directions, np.stack([np.sin(angles), 0 * angles, -np.cos(angles)], -1), atol=1e-12
    )
    assert directions[3, 2] > 0
    pixel, depth = lens.project(np.array([[0.0, 0.0, 1.0], [0.3, 0.1, 0.5]]))
    assert np.isnan(pixel[0]).all()  # straight behind has no direction in the picture
    assert np.isfinite(pixel[1]).all()
    assert (depth < 0).all()


@hypothesis.given(
    st.tuples(*[st.floats(-0.4, 0.4)] * 4, *[st.floats(-0.02, 0.02)] * 2),
    st.floats(0.4, 3.0),
    st.sampled_from(["opencv", "fisheye"]),
)
def test_a_lens_is_refused_or_undone_everywhere(terms: tuple[float, ...], focal: float, model: str) -> None:
    try:
        lens = Lens(
            40, 30, 40 * focal, 41 * focal, 21.0, 14.0, model, terms if model == "opencv" else terms[:4]
        )
    except UserError:
        return
    pixels = lens.pixel_centres()
    directions = lens.directions(pixels)
    np.testing.assert_allclose(lens.project(directions)[0], pixels, atol=1e-6)


def test_directions_follow_the_pixels_without_a_jump() -> None:
    lens = Lens(200, 200, 90.0, 90.0, 100.0, 100.0, "opencv", (-0.12, 0.01, 0.0, 0.0, 0.002, 0.001))
    directions = lens.directions(lens.pixel_centres())
    steps = np.diff(directions[..., 0], axis=1)
    assert (steps > 0).all()
    assert steps.max() < 5 * steps.min()


def test_what_a_lens_cannot_see_has_no_pixel() -> None:
    lens = Lens(40, 40, 60.0, 60.0, 20.0, 20.0, "opencv", (-0.2, 0.0, 0.0, 0.0, 0.0, 0.0))
    fold = math.sqrt(1 / 0.6)  # where r (1 - 0.2 r^2) stops rising
    points = np.array([[0.0, 0, 1], [0, 0, 0], [1.01 * fold, 0, -1], [0.99 * fold, 0, -1]])
    pixels, _ = lens.project(points)
    assert np.isnan(pixels[:3]).all()
    assert np.isfinite(pixels[3]).all()


def test_a_distortion_that_folds_over_within_the_picture_is_refused() -> None:
    error = refusal(200, 200, 90.0, 90.0, 100.0, 100.0, "opencv", (-0.5, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert "-0.5" in error.sentence
    assert "undistort" in error.hint
    refusal(200, 200, 50.0, 50.0, 100.0, 100.0, "fisheye", (-0.2, 0.0, 0.0, 0.0))
    refusal(800, 800, 100.0, 100.0, 400.0, 400.0, "fisheye", (0.0,) * 4)  # corners beyond 180 degrees
    with pytest.raises(UserError):  # a pixel far outside of a picture whose inside is sound
        Lens(40, 40, 60.0, 60.0, 20.0, 20.0, "opencv", (-0.2, 0.0, 0.0, 0.0, 0.0, 0.0)).directions(
            np.array([400.0, 20.0])
        )


@pytest.mark.parametrize(
    "arguments",
    [
        (0, 10, 1.0, 1.0, 0.0, 0.0),
        (10, 1 << 30, 1.0, 1.0, 0.0, 0.0),
        (10, 10, 0.0, 1.0, 0.0, 0.0),
        (10, 10, 1.0, -1.0, 0.0, 0.0),
        (10, 10, math.nan, 1.0, 0.0, 0.0),
        (10, 10, 1.0, 1.0, math.inf, 0.0),
        (10, 10, 1.0, 1.0, 5.0, 5.0, "equirectangular"),
    ],
)
def test_numbers_that_no_lens_has_are_refused(arguments: tuple[object, ...]) -> None:
    refusal(*arguments)


@pytest.mark.parametrize("lens", [FOX, FISHEYE], ids=["fox", "fisheye"])
def test_a_resized_lens_shows_the_same_view(lens: Lens) -> None:
    half = lens.scaled(0.5)
    assert (half.width, half.height) == (lens.width // 2, lens.height // 2)
    pixels = half.pixel_centres()
    np.testing.assert_allclose(half.directions(pixels), lens.directions(2 * pixels), atol=1e-12)
    wide = lens.resized(3 * lens.width, lens.height)
    np.testing.assert_allclose(wide.directions(pixels * (3, 1)), lens.directions(pixels), atol=1e-9)
