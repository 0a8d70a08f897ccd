"""Facts about editing without a model: sizes, what is put back, which views, when, and what is kept."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from maquette_server.cameras.lens import Lens
from maquette_server.editing import moments, pace, plan, put_back, spread, warp
from maquette_server.editing.working_size import resized, working_size
from maquette_server.rendering.posed import Posed
from maquette_server.training.budget import Budget

SIDES = st.integers(1, 4000)


# ---- size --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "long_side", "stride", "expected"),
    [
        ((512, 512), 512, 64, (512, 512)),
        ((994, 738), 512, 64, (512, 384)),
        ((738, 994), 512, 64, (384, 512)),
        ((400, 400), 64, 16, (64, 64)),
        ((10, 7), 512, 64, (512, 384)),
        ((3000, 10), 512, 64, (512, 64)),
    ],
)
def test_pictures_are_edited_at_the_models_size(size, long_side, stride, expected):
    assert working_size(*size, long_side, stride) == expected


@given(SIDES, SIDES, st.integers(8, 1024), st.sampled_from([8, 16, 64]))
def test_sides_are_whole_strides(width, height, long_side, stride):
    across, down = working_size(width, height, long_side, stride)
    assert across % stride == down % stride == 0
    assert min(across, down) >= stride


def test_a_round_trip_of_sizes_keeps_the_mean():
    picture = torch.rand(3, 497, 369, generator=torch.Generator().manual_seed(0))
    there = resized(picture, 368, 496)
    assert there.shape == (3, 496, 368)
    back = resized(there, 369, 497)
    assert back.shape == picture.shape
    assert float((back.mean() - picture.mean()).abs()) < 1 / 255


# ---- putting back ------------------------------------------------------------------------------------------


@pytest.fixture
def photograph():
    """Fine stripes of brightness over a red and a green half, [3, 64, 96]."""
    stripes = 0.6 + 0.4 * (torch.arange(96) % 4 < 2)
    half = torch.where(torch.arange(96) < 48, 1.0, 0.0)
    colour = torch.stack([0.7 * half + 0.1, 0.7 * (1 - half) + 0.1, torch.full_like(half, 0.1)])
    return (colour * stripes)[:, None].repeat(1, 64, 1)


def test_an_edit_that_changes_nothing_leaves_every_pixel(photograph):
    small = resized(photograph, 24, 16)
    noise = 0.004 * torch.randn(small.shape, generator=torch.Generator().manual_seed(0))
    found = put_back.put_back(photograph, small + noise, small)
    assert torch.equal(found.colours, photograph)
    assert not found.changed.any()


def test_only_what_changed_is_taken_over_and_keeps_its_detail(photograph):
    small = resized(photograph, 24, 16)
    blue = small.clone()
    blue[:, :, :10] = torch.tensor([0.05, 0.05, 0.7])[:, None, None]
    found = put_back.put_back(photograph, blue, small)
    assert torch.equal(found.colours[:, :, 56:], photograph[:, :, 56:])
    edited = found.colours[:, 20:40, 4:28]
    assert edited[2].mean() > 5 * edited[0].mean()
    bright, dark = edited[2, :, 0::4].mean(), edited[2, :, 2::4].mean()
    assert bright > 1.3 * dark


def test_everywhere_takes_the_edit_as_it_is(photograph):
    found = put_back.put_back(
        photograph, torch.zeros(3, 16, 24), resized(photograph, 24, 16), everywhere=True
    )
    assert float(found.colours.max()) == 0


# ---- views -------------------------------------------------------------------------------------------------


def ring(count: int) -> list[np.ndarray]:
    found = []
    for k in range(count):
        angle = 2 * np.pi * k / count
        pose = np.eye(4)
        away = np.array([np.cos(angle), np.sin(angle), 0.0])
        pose[:3, 2], pose[:3, 1] = away, (0, 0, 1)
        pose[:3, 0] = np.cross(pose[:3, 1], pose[:3, 2])
        pose[:3, 3] = 3 * away
        found.append(pose)
    return found


def test_chosen_views_are_far_apart():
    chosen = spread.spread(ring(24), 4)
    angles = np.sort([360 * k / 24 for k in chosen])
    assert np.diff(np.append(angles, angles[0] + 360)).max() <= 120


@given(st.integers(1, 30), st.integers(1, 40))
def test_no_view_is_chosen_twice(count, wanted):
    chosen = spread.spread(ring(count), wanted)
    assert len(set(chosen)) == len(chosen) == min(count, wanted)


@given(st.integers(1, 60), st.integers(1, 8))
def test_batches_hold_every_view_once_and_are_even(count, size):
    found = spread.batches(list(range(count)), size)
    assert sorted(view for batch in found for view in batch) == list(range(count))
    lengths = [len(batch) for batch in found]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


# ---- plans -------------------------------------------------------------------------------------------------


def made(chosen: plan.Plan, steps: int) -> list[tuple[int, plan.Edit]]:
    found: list[tuple[int, plan.Edit]] = []
    for step in range(steps):
        while (edit := chosen.due(step, step / steps, len(found))) is not None:
            found.append((step, edit))
    return found


def test_the_published_schedule_is_every_ten_steps_in_one_order():
    edits = made(plan.Classic(range(86), 7, (20, 980), 20), 4000)
    assert len(edits) == 400
    assert all(step == 10 * number for number, (step, _) in enumerate(edits))
    order = [edit.views[0] for _, edit in edits]
    assert all(len(edit.views) == 1 for _, edit in edits)
    assert set(np.bincount(order, minlength=86)) == {4, 5}
    assert all(order[k] == order[k % 86] for k in range(400))
    assert sorted(order[:86]) == list(range(86))
    assert order[:86] != list(range(86))
    tops = [edit.top for _, edit in edits]
    assert min(tops) >= 20
    assert max(tops) <= 980
    assert 450 < np.mean(tops) < 550


def test_joint_passes_cover_all_views_with_falling_noise():
    joint = plan.Joint(range(10), 4, 1000, 20)
    edits = made(joint, 1000)
    tops = [edit.top for _, edit in edits]
    assert sorted(set(tops), reverse=True) == [980, 800, 600, 400]
    assert tops == sorted(tops, reverse=True)
    for top in set(tops):
        views = [view for _, edit in edits if edit.top == top for view in edit.views]
        assert sorted(views) == list(range(10))
    assert [edit.steps for _, edit in edits[::3]] == [20, 16, 12, 8]
    begins = [min(step for step, edit in edits if edit.top == top) for top in (980, 800, 600, 400)]
    assert np.allclose(begins, [0, 800 / 3, 1600 / 3, 800], atol=1)


def test_passes_that_are_left_out_are_not_made():
    joint = plan.Joint(range(6), 3, 1000, 20)
    joint.keep([0, 3])
    assert [edit.top for _, edit in made(joint, 100)] == [980, 980, 400, 400]


# ---- pace --------------------------------------------------------------------------------------------------


def test_passes_fill_at_most_half_of_the_seconds():
    for seconds, expected in ((1000.0, [0, 1, 2, 3]), (50.0, [0, 2, 3]), (35.0, [0, 3]), (12.0, [0])):
        budget = pace.Pace(Budget(None, seconds), None, seconds)
        budget.editing = 10.0
        assert budget.affordable([240, 200, 160, 100]) == expected


def test_a_first_pass_that_would_take_too_long_has_fewer_batches():
    budget = pace.Pace(Budget(None, 100.0), None, 100.0)
    budget.editing = 12.0  # of the first batch
    assert budget.batches(10) == 4
    assert budget.batches(2) == 2
    budget.editing = 1000.0
    assert budget.batches(10) == 1
    joint = plan.Joint(range(10), 2, 1000, 20)
    dropped = joint.shrink(2)
    assert len(dropped) == 6
    assert {view for _, edit in made(joint, 100) for view in edit.views} == set(range(10)) - set(dropped)
    assert joint.calls[0] == 20 * 4


def test_in_steps_every_pass_is_made():
    budget = pace.Pace(Budget(100, None), 100, None)
    budget.editing = 1e9
    assert budget.affordable([20, 16, 12, 8]) == [0, 1, 2, 3]
    assert budget.batches(7) == 7
    assert budget.share(25) == 0.25


def test_learning_has_the_seconds_that_edits_leave():
    clock = Budget(None, 100.0, spent=50.0)
    budget = pace.Pace(clock, None, 100.0)
    budget.editing, budget.expected = 20.0, 40.0
    assert budget.share(0) == pytest.approx(0.5)


# ---- moments -----------------------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 10_000), min_size=1, max_size=60))
def test_few_moments_are_kept_the_ends_among_them(steps):
    rising = sorted(steps)
    kept = moments.thinned(rising, 8)
    assert len(kept) == min(8, len(rising))
    assert kept[0] == rising[0]
    assert kept[-1] == rising[-1]
    assert set(kept) <= steps


def test_even_gaps_stay_even():
    kept = moments.thinned(range(0, 49), 25)
    assert max(np.diff(kept)) <= 4


def test_the_moment_from_which_on_nothing_moves_is_suggested():
    movements = {0: 0.0, 100: 0.1, 200: 0.199, 300: 0.2, 400: 0.2005}
    assert moments.suggested(movements) == 200
    assert moments.suggested({0: 0.0, 100: 0.1, 200: 0.2, 300: 0.3}) is None
    assert moments.suggested({0: 0.0}) is None
    assert moments.suggested({0: 0.0, 1: 0.0, 2: 0.0}) is None


# ---- warp --------------------------------------------------------------------------------------------------


def plane_view(x: float, side: int = 40) -> tuple[warp.View, np.ndarray]:
    """A camera 2 above the plane z = 0, moved along x, and what it sees: a pattern of the world."""
    lens = Lens(side, side, 50.0, 50.0, side / 2, side / 2)
    pose = np.eye(4)
    pose[:3, 3] = (x, 0.0, 2.0)
    directions = lens.directions(lens.pixel_centres())
    places = directions * 2.0 + pose[:3, 3]
    colours = np.stack([0.5 + 0.5 * np.sin(2 * places[..., k % 2] + k) for k in range(3)], -1)
    return warp.View(Posed(pose, lens), np.full((side, side), 2.0, np.float32)), colours.astype(np.float32)


def test_a_plane_looks_from_one_view_as_another_shows_it():
    (one, truth), source = plane_view(0.0), plane_view(0.4)
    found = warp.warped(one, [source])
    assert 0.5 < found.known.mean() < 1
    assert not found.known[:, 0].any()
    assert np.abs(found.values - truth)[found.known].max() < 0.02
    assert not found.values[~found.known].any()


def test_a_point_that_something_hides_is_not_known():
    (one, _), (view, colours) = plane_view(0.0), plane_view(0.2)
    hidden = view.depths.copy()
    hidden[:, 25:] = 1.0
    found = warp.warped(one, [(warp.View(view.camera, hidden), colours)])
    everything = warp.warped(one, [(view, colours)])
    assert found.known.sum() < everything.known.sum() - 200


def test_without_another_view_nothing_is_known():
    (one, _) = plane_view(0.0)
    assert warp.nearest(one, []) == []
    assert not warp.warped(one, []).known.any()


def test_nothing_is_known_of_what_is_not_there():
    (one, _), source = plane_view(0.0), plane_view(0.2)
    empty = warp.View(one.camera, np.full_like(one.depths, np.inf))
    assert not warp.warped(empty, [source]).known.any()


def test_values_of_any_number_of_channels_are_warped():
    (one, _), (view, colours) = plane_view(0.0), plane_view(0.2)
    found = warp.warped(one, [(view, colours[..., :1])])
    assert found.values.shape == (40, 40, 1)
