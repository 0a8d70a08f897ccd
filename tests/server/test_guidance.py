"""Facts about denoisers, schedules and score distillation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from maquette_server.guidance import denoiser as denoising
from maquette_server.guidance import latent_rgb, schedules, score_distillation

TABLE = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0)


class Network(torch.nn.Module):
    """A stand-in network: a fixed linear answer that depends on everything it is given."""

    def forward(self, z_t, timesteps, encoder_hidden_states, return_dict):
        self.calls = getattr(self, "calls", 0) + 1
        told = encoder_hidden_states.mean((1, 2)).reshape(-1, 1, 1, 1)
        return (0.3 * z_t + 0.01 * timesteps.reshape(-1, 1, 1, 1) + told,)


def make(prediction: str = "epsilon") -> denoising.Denoiser:
    return denoising.Denoiser(Network(), TABLE, prediction, torch.float64)


def draw(seed: int = 0) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(seed)
    z, noise = (torch.randn(2, 4, 8, 8, generator=g, dtype=torch.float64) for _ in range(2))
    return z, noise, torch.tensor([20, 700]), torch.randn(4, 5, 6, generator=g, dtype=torch.float64)


@pytest.mark.parametrize(
    ("t", "abar"),
    [(20, 0.981314), (100, 0.894223), (250, 0.673793), (500, 0.276333), (750, 0.056170), (980, 0.005844)],
)
def test_the_noise_table_is_the_published_one(t, abar):
    assert float(TABLE[t]) == pytest.approx(abar, abs=1e-6)


def test_the_released_weighting_peaks_where_alpha_is_a_third():
    weight = score_distillation.weight(TABLE, "sqrt_alpha_one_minus_alpha")
    assert int(weight.argmax()) == 459
    assert float(weight.max()) == pytest.approx(2 / (3 * math.sqrt(3)), abs=1e-5)
    assert float(weight[20:981].mean()) == pytest.approx(0.240902, abs=1e-5)
    assert float(score_distillation.weight(TABLE, "one_minus_alpha")[20:981].mean()) == pytest.approx(
        0.632194, abs=1e-5
    )


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_every_prediction_type_gives_back_the_noise_that_was_added(prediction):
    z, noise, t, _ = draw()
    abar = TABLE[t]
    z_t = denoising.noisy(z, noise, abar)
    a = abar.reshape(-1, 1, 1, 1)
    output = {"epsilon": noise, "v_prediction": a.sqrt() * noise - (1 - a).sqrt() * z, "sample": z}[
        prediction
    ]
    found = denoising.noise_of(output, z_t, abar, prediction)
    torch.testing.assert_close(found, noise)
    torch.testing.assert_close(denoising.clean_of(found, z_t, abar), z)


def test_the_gradient_is_the_formula():
    z, noise, t, embeddings = draw()
    denoiser = make()
    got = score_distillation.Guidance(denoiser, 100.0).gradient(z, t, noise, embeddings)
    z_t = denoising.noisy(z, noise, TABLE[t])
    unconditional = denoiser.predict_noise(z_t, t, embeddings[:2])
    conditional = denoiser.predict_noise(z_t, t, embeddings[2:])
    a = TABLE[t].reshape(-1, 1, 1, 1)
    expected = a.sqrt() * (1 - a) * (unconditional + 100 * (conditional - unconditional) - noise)
    torch.testing.assert_close(got, expected)


def test_one_network_call_serves_both_prompts():
    z, noise, t, embeddings = draw()
    denoiser = make()
    score_distillation.Guidance(denoiser, 7.5).gradient(z, t, noise, embeddings)
    assert denoiser.unet.calls == 1


def test_the_classifier_form_is_the_guidance_term_alone():
    z, noise, t, embeddings = draw()
    parts = [
        score_distillation.Guidance(make(), s, "one", form).gradient(z, t, noise, embeddings)
        for s, form in ((5.0, "csd"), (5.0, "sds"), (0.0, "sds"))
    ]
    torch.testing.assert_close(parts[0], parts[1] - parts[2])


def test_a_perfect_denoiser_without_guidance_changes_nothing():
    z, noise, t, embeddings = draw()
    denoiser = make()
    denoiser.predict_noise = lambda z_t, t, e: noise.repeat(2, 1, 1, 1)
    gradient = score_distillation.Guidance(denoiser, 30.0).gradient(z, t, noise, embeddings)
    assert float(gradient.abs().max()) == 0


def test_the_surrogate_loss_has_the_gradient_as_its_derivative():
    z, noise, _, _ = draw()
    z.requires_grad_()
    score_distillation.surrogate_loss(z, noise).backward()
    torch.testing.assert_close(z.grad, noise)


def test_wrong_batch_sizes_are_named():
    z, noise, t, embeddings = draw()
    with pytest.raises(ValueError, match="do not fit"):
        score_distillation.Guidance(make(), 1.0).gradient(z, t, noise, embeddings[:3])


def test_the_released_range_is_20_to_980_with_both_ends():
    assert schedules.timestep_bounds(0.02, 0.98, "none", 0.7, 1000) == (20, 980)


def test_linear_annealing_ends_at_half():
    assert schedules.timestep_bounds(0.02, 0.98, "linear", 0.0, 1000) == (20, 980)
    assert schedules.timestep_bounds(0.02, 0.98, "linear", 1.0, 1000) == (20, 500)


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["none", "linear"]),
    st.floats(0, 1),
    st.integers(1, 2000),
)
def test_bounds_lie_within_the_models_timesteps(low, high, anneal, progress, total):
    first, last = schedules.timestep_bounds(low, high, anneal, progress, total)
    assert 0 <= first <= last <= total - 1


def test_dreamtime_never_rises_and_dwells_in_the_middle():
    t = schedules.dreamtime_timesteps(0.02, 0.98, 2000, 1000)
    assert (np.diff(t) <= 0).all()
    assert t[0] > 950
    middle = np.mean((t >= 500) & (t <= 800))
    assert middle > 0.45  # of the time, for 31 % of the levels


def test_the_inverse_of_red_is_the_published_latent():
    red = latent_rgb.inverse(torch.tensor(latent_rgb.STABLE_DIFFUSION, dtype=torch.float64))[0]
    expected = torch.tensor([1.550878, 0.075541, -2.197213, -0.491979], dtype=torch.float64)
    torch.testing.assert_close(red, expected, atol=1e-5, rtol=0)
    mapped = red @ torch.tensor(latent_rgb.STABLE_DIFFUSION, dtype=torch.float64)
    torch.testing.assert_close(
        mapped, torch.tensor([0.913972, 0.060690, -0.011707], dtype=torch.float64), atol=1e-5, rtol=0
    )
