"""Training on a coloured ball that is known in closed form: it learns, resumes bit for bit, and its loss and
rates are the sheet's.
"""

import dataclasses
import math
from typing import Any

import pytest
import torch
from maquette_server.fields import mip
from maquette_server.rendering import compositing, cone_render, rays
from maquette_server.training import loop, mip_presets, mip_training
from torch import Tensor

TINY = mip_presets.Preset(
    network=mip.Settings(degrees=6, depth=3, width=64, skip=1, view_width=32),
    sampling=cone_render.Settings(coarse=16, fine=16),
    rays=256,
    schedule=mip_presets.Schedule(first=1e-2, last=1e-3, steps=120, warm_up=10),
)
QUICK = dataclasses.replace(
    TINY,
    network=mip.Settings(degrees=4, depth=3, width=16, skip=1, view_width=8, density_noise=0.5),
    sampling=cone_render.Settings(coarse=8, fine=8),
    rays=20,
)


def ball(count: int, seed: int) -> rays.Batch:
    """Rays from 4 away at a ball of radius 1 around 0, coloured by where it is met, with white beside it."""
    generator = torch.Generator().manual_seed(seed)
    origins = 4 * torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    aims = 2.4 * torch.rand(count, 3, generator=generator) - 1.2
    directions = torch.nn.functional.normalize(aims - origins, dim=-1)
    along = (origins * directions).sum(-1)
    root = along**2 - 15
    place = origins + (-along - root.clamp_min(0).sqrt())[:, None] * directions
    colours = torch.where(root[:, None] > 0, 0.5 + 0.4 * torch.sin(2 * place), 1.0)
    near, far, radii = (torch.full((count,), value) for value in (2.0, 6.0, 5e-3))
    seen = rays.Rays(origins, directions, radii, near, far)
    return rays.Batch(seen, colours, torch.ones(count))


def task(preset: mip_presets.Preset, **options: Any) -> mip_training.MipTask:
    return mip_training.MipTask(preset, lambda step: ball(preset.rays, step), seed=3, **options)


def psnr(trained: mip_training.MipTask) -> float:
    held = ball(1000, 12345)
    found = trained.picture(held.rays)
    return -10 * math.log10(float((found.colours - held.colours).square().mean()))


def trained(preset: mip_presets.Preset, steps: int, **options: Any) -> mip_training.MipTask:
    made = task(preset, **options)
    for step in range(steps):
        made.advance(step)
    return made


def tensors(made: mip_training.MipTask) -> dict[str, Tensor]:
    return made.state().tensors


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_learning_rates_have_the_printed_values() -> None:
    printed = {
        0: 5e-6,
        250: 8.23402e-5,
        1250: 3.52980e-4,
        2500: 4.94276547e-4,
        100_000: 3.15478672e-4,
        500_000: 5e-5,
        1_000_000: 5e-6,
    }
    for step, rate in printed.items():
        found = mip_training.learning_rate(mip_presets.PAPER.schedule, step)
        assert found == pytest.approx(rate, rel=3e-6)


def test_a_short_training_falls_to_the_last_rate_and_starts_softly_for_a_tenth() -> None:
    schedule = mip_presets.PAPER.schedule
    rates = [mip_training.learning_rate(schedule, step, step / 1000) for step in range(1001)]
    assert rates[0] == pytest.approx(5e-6)
    assert rates[1000] == pytest.approx(5e-6)
    assert max(range(1001), key=rates.__getitem__) < 100
    assert rates[100] == pytest.approx(5e-4 * 0.01**0.1), "the softened start is over"
    assert mip_training.learning_rate(schedule, 1250, 1250 / 1e6) == pytest.approx(3.52980e-4, rel=1e-5)


def test_the_loss_is_normalised_by_the_weights_of_rays() -> None:
    seen, wanted = torch.tensor([[0.5] * 3, [0.0] * 3]), torch.zeros(2, 3)
    for factor in (1, 16):
        weights = factor * torch.tensor([1.0, 3.0])
        loss = mip_training.colour_loss(seen, wanted, weights / weights.sum())
        assert float(loss) == pytest.approx(3 * 0.25 / 4)
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        mip_training.colour_loss(seen, wanted[:1], torch.ones(2))


def test_it_learns_a_ball() -> None:
    made = trained(TINY, 120)
    assert psnr(made) > 21
    held = ball(500, 77)
    found = made.picture(held.rays)
    hit = held.colours.sum(-1) < 2.99
    assert float(found.opacity[hit].mean()) > 0.9
    assert float(found.opacity[~hit].mean()) < 0.2


def test_a_proposal_learns_where_to_look() -> None:
    preset = dataclasses.replace(
        TINY,
        proposal=mip.Settings(degrees=5, depth=2, width=32),
        sampling=cone_render.Settings(coarse=24, fine=10),
        coarse_weight=1.0,
    )
    made = trained(preset, 120)
    assert set(made.losses()) == {"proposal", "fine"}
    assert psnr(made) > 20.5


@pytest.mark.parametrize("name", ["plain", "proposal", "two"])
def test_it_resumes_bit_for_bit(name: str) -> None:
    preset = {
        "plain": QUICK,
        "proposal": dataclasses.replace(QUICK, proposal=mip.Settings(degrees=4, depth=2, width=8)),
        "two": dataclasses.replace(QUICK, two_networks=True),
    }[name]
    whole = trained(preset, 6)
    half = trained(preset, 3)
    state = half.state()
    half.advance(3)  # what is taken must be a copy
    resumed = mip_training.MipTask(preset, lambda step: ball(preset.rays, step), seed=9)
    resumed.restore(state)
    for step in range(3, 6):
        resumed.advance(step)
    assert same(tensors(whole), tensors(resumed))
    assert whole.losses() == resumed.losses()


def test_a_state_from_before_the_first_step_can_be_restored() -> None:
    begun = task(QUICK)
    state = begun.state()
    begun.advance(0)
    resumed = task(QUICK)
    resumed.advance(0)
    resumed.restore(state)
    resumed.advance(0)
    assert same(tensors(begun), tensors(resumed))


def test_rewinding_keeps_the_generators() -> None:
    made = trained(QUICK, 2)
    state = made.state()
    made.advance(2)
    drawn = tensors(made)["random.jitter"]
    made.rewind(state)
    now = tensors(made)
    assert torch.equal(now["random.jitter"], drawn)
    assert torch.equal(now["field.to_density.weight"], state.tensors["field.to_density.weight"])


def test_the_loop_of_all_methods_runs_it() -> None:
    made: loop.Task = task(QUICK)
    work = loop.optimise(made, 0, 3, "train", None)
    steps = list(work)
    assert [step.step for step in steps] == [1, 2, 3]
    assert set(steps[-1].losses) == {"coarse", "fine"}


def test_blocks_give_the_gradient_of_the_whole_batch() -> None:
    preset = dataclasses.replace(QUICK, network=dataclasses.replace(QUICK.network, density_noise=0))
    batch = ball(20, 0)
    field = task(preset).field
    levels = cone_render.passes(field, batch.rays, preset.sampling)
    total = torch.zeros(())
    for factor, level in zip((0.1, 1.0), levels, strict=True):
        assert level.composite is not None
        total = total + factor * (level.composite.colours - batch.colours).square().sum(-1).mean()
    expected = torch.autograd.grad(total, tuple(field.parameters()))
    for size in (7, 20):
        made = task(preset, block=size)
        made._jitter = None  # type: ignore[assignment]  # as blocks draw in another order
        made.advance(0)
        found = tuple(value.grad for value in made.field.parameters())
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)
        losses = made.losses()
        assert 0.1 * losses["coarse"] + losses["fine"] == pytest.approx(float(total.detach()))


def test_large_pixels_count_by_their_area_unless_left_out() -> None:
    def mixed(step: int) -> rays.Batch:
        batch = ball(20, step)
        return rays.Batch(batch.rays, batch.colours, torch.where(torch.arange(20) < 10, 1.0, 16.0))

    found = {}
    for area in (True, False):
        preset = dataclasses.replace(QUICK, area_loss=area)
        made = mip_training.MipTask(preset, mixed, seed=3, block=5)
        made.advance(0)
        found[area] = made.losses()["fine"]
    made = task(QUICK, block=5)
    made.advance(0)
    assert found[False] == pytest.approx(made.losses()["fine"])
    assert found[True] != pytest.approx(found[False])


def test_recomputation_changes_nothing_and_bfloat16_little() -> None:
    plain = trained(QUICK, 2)
    assert same(tensors(plain), tensors(trained(QUICK, 2, recompute=True)))
    half = trained(QUICK, 2, dtype=torch.bfloat16)
    assert half.losses()["fine"] == pytest.approx(plain.losses()["fine"], rel=0.05)


def test_pictures_do_not_hang_on_how_rays_are_divided() -> None:
    made = trained(QUICK, 1)
    held = ball(30, 5)
    whole = cone_render.picture(made.field, held.rays, QUICK.sampling, chunk=30)
    parts = cone_render.picture(made.field, held.rays, QUICK.sampling, chunk=7)
    for name, value in vars(whole).items():
        torch.testing.assert_close(value, getattr(parts, name))
    each = torch.rand(30, 3)
    whole = cone_render.picture(made.field, held.rays, QUICK.sampling, background=each, chunk=30)
    parts = cone_render.picture(made.field, held.rays, QUICK.sampling, background=each, chunk=7)
    torch.testing.assert_close(whole.colours, parts.colours)
    assert len(cone_render.picture(made.field, held.rays[:0], QUICK.sampling).colours) == 0


def test_a_first_pass_that_leaves_no_room_is_told_so() -> None:
    posts = torch.tensor([[0.0, 1, 2]])
    first = torch.tensor([[0.9, 0.1]], requires_grad=True)
    second = cone_render.Level(posts, torch.tensor([[0.2, 0.6]]), None)
    loss = mip_training.proposal_loss(cone_render.Level(posts, first, None), second)
    assert float(loss.detach()) == pytest.approx(0.5 * 0.5**2 / 0.6, rel=1e-5)
    loss.backward()
    assert first.grad is not None
    assert float(first.grad[0, 0]) == 0
    assert float(first.grad[0, 1]) < 0


def test_presets_are_what_the_sheet_says() -> None:
    assert mip_presets.PAPER.rays == 4096
    assert {name: entry.preset == mip_presets.PAPER for name, entry in mip_presets.ABLATIONS.items()} == {
        "none": True,
        "no_area_loss": False,
        "two_mlps": False,
        "no_ipe": False,
    }
    two = mip_training.MipTask(mip_presets.ABLATIONS["two_mlps"].preset, lambda step: ball(4, step), seed=0)
    assert isinstance(two.coarse, mip.MipField)
    fast = mip_training.MipTask(mip_presets.FAST, lambda step: ball(4, step), seed=0)
    assert fast.coarse is not None
    assert sum(value.numel() for value in fast.coarse.parameters()) == 222_465
    with pytest.raises(ValueError, match="nothing can be trained"):
        dataclasses.replace(mip_presets.FAST, two_networks=True)
    with pytest.raises(ValueError, match="schedule"):
        mip_presets.Schedule(first=0)


def test_cylinders_and_disparity_render_too() -> None:
    field = mip.MipField(QUICK.network, generator=torch.Generator().manual_seed(0))
    settings = cone_render.Settings(coarse=8, fine=8, disparity=True, shape="cylinder", background="black")
    found = cone_render.picture(field, ball(9, 0).rays, settings)
    assert all(bool(value.isfinite().all()) for value in vars(found).values())
    first, second = cone_render.passes(field, ball(9, 0).rays, settings, coarse_colours=False)
    assert first.composite is None
    assert isinstance(second.composite, compositing.Composite)
    assert float(second.composite.opacity.detach().max()) <= 1 + 1e-6
