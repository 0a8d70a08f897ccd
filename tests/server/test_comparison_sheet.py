"""The sheet of truth, render and error, and depth as a picture: what is where, in which colours."""

import matplotlib
import numpy as np
import pytest
from maquette_server.media import comparison_sheet, depth_picture
from numpy.typing import NDArray


def noise(height: int = 30, width: int = 40, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def holds(sheet: NDArray[np.uint8], picture: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Where the picture stands in the sheet, bit for bit: rows and columns of its corner."""
    height, width = picture.shape[:2]
    corners = np.argwhere((sheet[: 1 - height or None, : 1 - width or None] == picture[0, 0]).all(-1))
    return [
        (int(y), int(x)) for y, x in corners if np.array_equal(sheet[y : y + height, x : x + width], picture)
    ]


def test_a_row_holds_truth_render_and_error_side_by_side() -> None:
    truth, render = noise(), noise(seed=1)
    sheet = comparison_sheet.sheet([truth], [render])
    error = comparison_sheet.error_picture(truth, render)
    (one,), (other,), (third,) = (holds(sheet, picture) for picture in (truth, render, error))
    assert one[0] == other[0] == third[0]
    assert one[1] < other[1] < third[1]
    assert other[1] - one[1] == third[1] - other[1] >= 40
    assert one[1] + 3 * (other[1] - one[1]) == sheet.shape[1]
    assert sheet.dtype == np.uint8


def test_rows_stand_below_each_other_whatever_their_sizes() -> None:
    truths = [noise(30, 40), noise(50, 20, seed=1), noise(8, 60, seed=2)]
    sheet = comparison_sheet.sheet(truths, truths[::1], names=["a", "b", "c"])
    places = [holds(sheet, truth) for truth in truths]
    tops = [place[0][0] for place in places]
    assert [len(place) for place in places] == [2, 2, 2]
    assert tops == sorted(tops)
    assert all(low - high >= truth.shape[0] for high, low, truth in zip(tops, tops[1:], truths, strict=False))


def test_the_error_has_the_colours_of_its_scale() -> None:
    truth = np.full((4, 5, 3), 100, np.uint8)
    assert (comparison_sheet.error_picture(truth, truth) == depth_picture.turbo(np.zeros(1))).all()
    red = depth_picture.turbo(np.ones(1))
    assert (comparison_sheet.error_picture(truth, truth + 51, 0.2) == red).all()
    assert (comparison_sheet.error_picture(truth, truth + 99, 0.2) == red).all()
    half = comparison_sheet.error_picture(truth, truth + 51, 0.4)
    np.testing.assert_array_equal(half[0, 0], depth_picture.turbo(np.array(0.5)))
    np.testing.assert_array_equal(
        comparison_sheet.error_picture(truth, truth + 51), comparison_sheet.error_picture(truth + 51, truth)
    )
    one = truth.copy()
    one[..., 0] += 30  # one channel of three: a third of it
    np.testing.assert_array_equal(
        comparison_sheet.error_picture(truth, one), comparison_sheet.error_picture(truth, truth + 10)
    )


def test_each_row_says_its_psnr(monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[str] = []
    draw = comparison_sheet.ImageDraw.ImageDraw.text

    def text(self: object, where: tuple[float, float], word: str, **options: object) -> None:
        words.append(word)
        draw(self, where, word, **options)

    monkeypatch.setattr(comparison_sheet.ImageDraw.ImageDraw, "text", text)
    truth = np.full((20, 20, 3), 100, np.uint8)
    comparison_sheet.sheet([truth, truth], [truth + 51, truth], names=["r_0", "r_1"], scale=0.3)
    assert "error, 0 to 0.3 of 1" in words
    assert words[-2:] == ["r_0   13.98 dB", "r_1   equal"]
    words.clear()
    comparison_sheet.sheet([truth], [truth])
    assert words[-1] == "0   equal"


def test_large_pictures_are_averaged_and_small_ones_left() -> None:
    large = np.repeat(np.repeat(noise(10, 20), 30, 0), 30, 1)
    sheet = comparison_sheet.sheet([large], [large], side=20)
    assert len(holds(sheet, noise(10, 20))) == 2
    assert sheet.shape[0] < 100


def test_transparent_pictures_lie_over_the_background() -> None:
    clear = noise(channels=4)
    clear[..., 3] = 0
    sheet = comparison_sheet.sheet([clear], [clear], background=(10, 200, 30))
    assert len(holds(sheet, np.full((30, 40, 3), (10, 200, 30), np.uint8))) == 2


def test_what_does_not_go_together_is_refused() -> None:
    picture = noise()
    for truths, renders, options in (
        ([], [], {}),
        ([picture], [], {}),
        ([picture], [picture[:-1]], {}),
        ([picture], [picture.astype(np.float32)], {}),
        ([picture], [picture], {"scale": 0.0}),
        ([picture], [picture], {"names": ["a", "b"]}),
        ([picture] * 201, [picture] * 201, {}),
    ):
        with pytest.raises(ValueError):
            comparison_sheet.sheet(truths, renders, **options)


# --- depth


def test_the_colours_are_turbos() -> None:
    values = np.linspace(0, 1, 256)
    table = matplotlib.colormaps["turbo"](values)[:, :3] * 255
    away = np.abs(depth_picture.turbo(values) - table)
    assert away.max() <= 33
    assert away.mean() <= 7
    np.testing.assert_array_equal(
        depth_picture.turbo(np.array([-3.0, 7.0])), depth_picture.turbo(np.array([0.0, 1.0]))
    )


def test_near_is_warm_far_is_cold_and_nothing_is_background() -> None:
    depth = np.linspace(1, 9, 400).reshape(20, 20)
    depth[0, 1], depth[0, 2], depth[0, 3] = np.inf, np.nan, 0
    picture = depth_picture.colour(depth, background=(1, 2, 3))
    assert picture.shape == (20, 20, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[0, 1:4], [[1, 2, 3]] * 3)
    near, far = picture[1, 0].astype(int), picture[-2, -1].astype(int)
    assert near[0] > near[2]
    assert far[2] > far[0]


def test_one_stray_depth_changes_nothing_else() -> None:
    depth = np.linspace(1, 2, 2500).reshape(50, 50)
    stray = depth.copy()
    stray[25, 25] = 1e6
    plain, other = depth_picture.colour(depth), depth_picture.colour(stray)
    differences = np.abs(plain.astype(int) - other)
    differences[25, 25] = 0
    assert differences.max() <= 3
    assert depth_picture.span(stray)[1] < 2.01


def test_given_ends_make_frames_comparable() -> None:
    depth = np.linspace(1, 2, 100).reshape(10, 10)
    whole = depth_picture.colour(depth, near=1, far=2)
    np.testing.assert_array_equal(whole[:5], depth_picture.colour(depth[:5], near=1, far=2))
    np.testing.assert_array_equal(whole[0, 0], depth_picture.turbo(np.array(1.0)))
    np.testing.assert_array_equal(whole[-1, -1], depth_picture.turbo(np.array(0.0)))


def test_scale_does_not_matter() -> None:
    depth = np.random.default_rng(0).random((20, 20)) + 1
    for factor in (1e-5, 1e6):
        levels = np.abs(depth_picture.colour(depth * factor).astype(int) - depth_picture.colour(depth))
        assert levels.max() <= 1


def test_flat_and_empty_depths_are_pictures_too() -> None:
    flat = depth_picture.colour(np.full((4, 4), 3.0))
    assert (flat == depth_picture.turbo(np.array(0.5))).all()
    assert (depth_picture.colour(np.full((4, 4), np.inf, np.float32)) == 255).all()
    assert depth_picture.span(np.full((4, 4), np.inf)) == (0.0, 1.0)
    with pytest.raises(ValueError):
        depth_picture.colour(np.zeros((4, 4, 1)))
