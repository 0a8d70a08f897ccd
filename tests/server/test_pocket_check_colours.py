"""Facts about finding a thing in a picture and naming its colour."""

import numpy as np
import pytest
from maquette_server.metrics.colour_names import NAMES
from maquette_server.pocket.checking import colours, patterns, things

SIDE = 64
LINE = np.arange(SIDE) - SIDE / 2 + 0.5
RADIUS = np.hypot(LINE[:, None], LINE)
DISC = RADIUS < 22
TWO = [
    *(("orange", "blue"), ("gray", "red"), ("yellow", "pink")),
    *(("white", "black"), ("pink", "black"), ("cyan", "black")),
]


def picture(inside, outside):
    """A disc of a colour, darker to one side, before another, [S, S, 3]."""
    shade = (1 - 0.2 * (LINE + 32) / 64)[None, :, None]
    return np.where(DISC[..., None], np.array(inside) * shade, np.array(outside))


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_shaded_disc_has_its_colour_s_name(name):
    behind = (0.62, 0.7, 0.66)
    shown = picture(NAMES[name], behind)
    assert colours.named(shown, DISC) == name
    assert colours.named(shown, things.find(shown[None]).pixels[0]) == name


def test_what_stands_out_from_an_even_slope_is_the_thing():
    slope = np.linspace(0.5, 0.9, SIDE)[:, None, None] * np.ones(3)
    shown = np.where(DISC[..., None], (0.8, 0.1, 0.1), slope)
    found = things.find(shown[None])
    assert found.there[0]
    assert (found.pixels[0] == DISC).mean() > 0.99
    assert (found.whole[0] == DISC).mean() > 0.97


def test_an_even_picture_is_asked_in_its_middle():
    found = things.find(np.full((1, SIDE, SIDE, 3), 0.4))
    assert not found.there[0]
    assert (found.pixels[0] == things.disc(SIDE)).all()


def test_the_hull_fills_gaps_of_the_background_s_colour():
    bands = (LINE[:, None] // 5 % 2 < 1) & np.ones(SIDE, bool)
    shown = np.where((DISC & bands)[..., None], (0.8, 0.1, 0.1), 0.95)
    whole = things.find(shown[None]).whole[0]
    assert (whole & DISC).sum() > 0.85 * DISC.sum()


def test_a_stain_in_a_corner_is_not_the_thing():
    shown = picture(NAMES["blue"], (0.8, 0.8, 0.8))
    shown[:6, :6] = NAMES["red"]
    assert not things.find(shown[None]).pixels[0, :6, :6].any()


def test_a_thing_that_leaves_only_the_corners_has_its_own_colour():
    close = np.where((RADIUS < 36)[..., None], NAMES["brown"], NAMES["yellow"])
    assert colours.named(close, things.find(close[None]).pixels[0]) == "brown"


def test_a_bright_rim_of_the_background_does_not_decide():
    rim = (RADIUS >= 20) & DISC
    shown = np.where(rim[..., None], 0.97, picture(NAMES["red"], (0.97, 0.97, 0.97)))
    assert colours.named(shown, DISC) == "red"


@pytest.mark.parametrize(("first", "second"), TWO)
def test_a_thing_of_two_colours_has_neither(first, second):
    sides = (picture(NAMES[name], (0.5,) * 3) for name in (first, second))
    half = np.where((LINE < 0)[None, :, None], *sides)
    assert colours.named(half, DISC) == colours.MIXED
    assert colours.won(half, DISC) in (first, second)


def test_light_beyond_full_keeps_the_hue():
    assert colours.named(np.full((SIDE, SIDE, 3), (1.0, 0.67, 0.78)), DISC) == "pink"


def test_the_middle_of_a_thing_is_asked_where_there_is_enough_of_it():
    aside = np.zeros((SIDE, SIDE), bool)
    aside[:8] = True
    middle = things.middles(np.stack([DISC, aside]))
    assert (middle[0] == (DISC & things.disc(SIDE))).all()
    assert (middle[1] == aside).all()


def test_nothing_has_no_name():
    assert colours.named(np.zeros((SIDE, SIDE, 3)), np.zeros((SIDE, SIDE), bool)) == ""


def test_the_map_between_two_colours_ends_at_them():
    shown = np.array([[NAMES["blue"], NAMES["yellow"]]])
    np.testing.assert_allclose(colours.between(shown, "blue", "yellow"), [[-1, 1]], atol=1e-9)


def striped(first, second):
    bands = (LINE[:, None] // 8 % 2 < 1) & np.ones(SIDE, bool)
    painted = np.where(bands[..., None], NAMES[first], NAMES[second])
    return np.where(DISC[..., None], painted, 0.45)


def test_stripes_are_found_with_and_without_knowing_where():
    shown = striped("red", "white")[None]
    assert patterns.verdicts(shown, [("red", "white")], DISC[None]) == ["stripes"]
    assert patterns.verdicts(shown, [("red", "white")]) == ["stripes"]


@pytest.mark.parametrize("wall", [(0.95, 0.7, 0.85), (0.6, 0.7, 0.95)])
def test_a_wall_that_shows_within_the_outline_is_no_stripe(wall):
    cross = ((np.abs(LINE[:, None]) < 7) | (np.abs(LINE) < 7)) & DISC
    shown = np.where(cross[..., None], striped("blue", "yellow"), wall)
    assert patterns.verdicts(shown[None], [("blue", "yellow")]) == ["stripes"]


def test_stripes_of_other_colours_are_said_to_lack_one():
    shown = striped("red", "yellow")[None]
    assert patterns.verdicts(shown, [("red", "white")], DISC[None]) == ["stripes" + patterns.MISSING]


def test_a_plain_disc_has_no_pattern():
    shown = picture(NAMES["red"], (0.5, 0.5, 0.5))[None]
    assert patterns.verdicts(shown, [("red", "white")]) == [patterns.NONE]
