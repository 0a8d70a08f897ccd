"""Facts about sampling: the time grid, the step, three-way guidance. Numbers by hand from the formulas."""

import pytest
import torch
from diffusers import DDIMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from maquette_server.guidance import denoiser, sampling

STABLE = DDIMScheduler(
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    set_alpha_to_one=False,
    steps_offset=1,
    clip_sample=False,
)
ABAR = STABLE.alphas_cumprod


@pytest.mark.parametrize(
    ("top", "steps", "first", "last"),
    [
        (980, 20, (932, 883, 834), (50, 1)),
        (1000, 20, (951, 901), (51, 1)),
        (500, 20, (476, 451), (26, 1)),
        (600, 4, (451, 301), (151, 1)),
        (700, 6, (581, 465), (117, 1)),
    ],
)
def test_the_time_grid_is_the_released_one(top, steps, first, last):
    grid = sampling.leading(top, steps)
    assert grid.timesteps[: len(first)] == first
    assert grid.timesteps[-2:] == last
    assert len(grid) == steps


@pytest.mark.parametrize("top", range(20, 40))
def test_low_levels_walk_down_one_by_one(top):
    assert sampling.leading(top, 20).timesteps == tuple(range(20, 0, -1))


@given(st.integers(20, 980))
def test_twenty_steps_begin_between_20_and_932(top):
    assert 20 <= sampling.leading(top, 20).timesteps[0] <= 932


@given(st.integers(1, 1000), st.integers(1, 100))
def test_the_time_grid_falls_evenly_to_1(top, steps):
    grid = sampling.leading(top, steps)
    assert grid.timesteps[-1] == 1
    assert grid.timesteps[0] <= top
    falls = {before - after for before, after in zip(grid.timesteps, grid.timesteps[1:], strict=False)}
    assert falls <= {grid.spacing}


def test_noise_is_added_as_published():
    found = denoiser.noisy(torch.full((1, 1, 1, 1), 0.5), torch.full((1, 1, 1, 1), -1.0), ABAR[932][None])
    assert float(found) == pytest.approx(-0.94479135, abs=1e-6)


@pytest.mark.parametrize(
    ("value", "noise", "at", "after", "expected"),
    [
        (1.0, 0.5, 932, 883, 1.14580770),
        (1.0, 0.5, 1, -48, 0.99435658),
        (0.2, -0.3, 501, 451, 0.26784411),
    ],
)
def test_a_step_is_ddims(value, noise, at, after, expected):
    final = float(STABLE.final_alpha_cumprod)
    found = sampling.ddim(
        torch.tensor(value), torch.tensor(noise), ABAR[at], sampling.abar_at(ABAR, after, final)
    )
    assert float(found) == pytest.approx(expected, abs=2e-6)


def test_a_whole_run_is_diffusers_own():
    torch.manual_seed(0)
    latents = start = torch.randn(1, 4, 4, 4, dtype=torch.float64)
    noises = torch.randn(20, 1, 4, 4, 4, dtype=torch.float64)
    grid = sampling.leading(1000, 20)
    STABLE.set_timesteps(20)
    assert STABLE.timesteps.tolist() == list(grid.timesteps)
    final = float(STABLE.final_alpha_cumprod)
    for timestep, noise in zip(grid.timesteps, noises, strict=True):
        after = sampling.abar_at(ABAR.double(), timestep - grid.spacing, final)
        latents = sampling.ddim(latents, noise, ABAR.double()[timestep], after)
    theirs = start
    for timestep, noise in zip(STABLE.timesteps, noises, strict=True):
        theirs = STABLE.step(noise, timestep, theirs).prev_sample
    assert torch.allclose(latents, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("text_scale", "image_scale", "expected"), [(7.5, 1.5, 1.75), (9.5, 1.5, 2.15), (1, 1, 0.4)]
)
def test_guidance_weighs_three_predictions(text_scale, image_scale, expected):
    found = sampling.three_way(*torch.tensor([0.4, 0.2, 0.1]), text_scale, image_scale)
    assert float(found) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=30)
@given(st.floats(0, 20), st.floats(0, 5))
def test_guidance_keeps_what_all_agree_on(text_scale, image_scale):
    same = torch.full((3,), 0.7, dtype=torch.float64)
    assert float(sampling.three_way(*same, text_scale, image_scale)) == pytest.approx(0.7)


@given(st.floats(0.01, 1), st.integers(1, 50))
def test_steps_follow_the_noise_level(share, steps):
    found = sampling.steps_for(share, steps)
    assert min(3, steps) <= found <= steps
    assert found >= min(steps, share * steps)
