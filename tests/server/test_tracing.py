"""The recorded network: its bits are the network's own, whatever the shape."""

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from maquette_server import config
from maquette_server.guidance import loading, tracing


@pytest.fixture(scope="module")
def unet() -> torch.nn.Module:
    torch.manual_seed(0)
    made = UNet2DConditionModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    return made.eval().requires_grad_(False)


def given(
    batch: int, side: int, seed: int, words: int = 6
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    sample = torch.randn(batch, 4, side, side, generator=rng)
    return sample, torch.arange(batch) * 90 + seed, torch.randn(batch, words, 12, generator=rng)


@torch.no_grad()
def test_a_replay_has_the_bits_of_the_network(unet: torch.nn.Module) -> None:
    traced = tracing.Traced(unet)
    for seed in range(tracing.FIRST + 6):
        for batch, side in ((1, 8), (2, 8), (3, 12)):
            inputs = given(batch, side, seed)
            (got,) = traced(inputs[0], inputs[1], encoder_hidden_states=inputs[2], return_dict=False)
            assert torch.equal(got, unet(*inputs, return_dict=False)[0]), (seed, batch, side)
    assert len(traced._graphs) == 3


@torch.no_grad()
def test_the_network_itself_is_left_alone_by_a_replay(unet: torch.nn.Module) -> None:
    traced = tracing.Traced(unet)
    calls = []
    handle = unet.register_forward_pre_hook(lambda *_: calls.append(1))
    for seed in range(tracing.FIRST + 6):
        traced(*given(1, 8, seed))
    handle.remove()
    assert len(calls) == tracing.FIRST + 1  # the one more is the recording


@torch.no_grad()
def test_recordings_of_many_shapes_are_bounded(unet: torch.nn.Module) -> None:
    traced = tracing.Traced(unet)
    for words in range(1, tracing.MOST_SHAPES + 3):
        for seed in range(tracing.FIRST + 1):
            traced(*given(1, 4, seed, words))
    assert len(traced._graphs) == tracing.MOST_SHAPES
    calls = []
    handle = unet.register_forward_pre_hook(lambda *_: calls.append(1))
    for seed in range(tracing.FIRST):
        traced(*given(1, 4, seed, 1))  # forgotten by now, and counted from the start
    handle.remove()
    assert len(calls) == tracing.FIRST
    assert len(traced._graphs) == tracing.MOST_SHAPES


@torch.no_grad()
def test_weights_that_change_are_seen_by_a_replay(unet: torch.nn.Module) -> None:
    traced = tracing.Traced(unet)
    for seed in range(tracing.FIRST + 2):
        traced(*given(1, 8, seed))
    weight = next(unet.parameters())
    weight += 0.1
    inputs = given(1, 8, 99)
    assert torch.equal(traced(*inputs)[0], unet(*inputs, return_dict=False)[0])
    weight -= 0.1


def test_small_networks_on_a_cpu_are_recorded(monkeypatch: pytest.MonkeyPatch, unet: torch.nn.Module) -> None:
    model = loading.load(str(config.POCKET), "cpu", "text_to_image")
    assert isinstance(model.denoiser.unet, tracing.Traced)
    assert not tracing.worth_it(unet, torch.device("cuda"))
    monkeypatch.setattr(tracing, "_SMALL", 100)
    assert not tracing.worth_it(unet, torch.device("cpu"))
