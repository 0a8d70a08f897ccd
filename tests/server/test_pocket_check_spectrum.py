"""Facts about telling stripes and checks by their spectra."""

import math

import numpy as np
import pytest
import torch
from maquette_server.pocket.checking import patterns, renders
from maquette_server.pocket.checking.spectrum import softened, spectrum

SIDE = 64


def turned(angle, side=SIDE):
    """Coordinates along and across a direction, in pixels, [S, S] each."""
    line = torch.arange(side) - side / 2 + 0.5
    y, x = torch.meshgrid(line, line, indexing="ij")
    a = math.radians(angle)
    return x * math.cos(a) + y * math.sin(a), y * math.cos(a) - x * math.sin(a)


def wave(along, period, phase=0.3):
    return torch.where((along / period + phase) % 1 < 0.5, 1.0, -1.0)


def disc(radius=27):
    along, across = turned(0)
    return (torch.hypot(along, across) < radius).float()[None]


@pytest.mark.parametrize("angle", [0, 20, 45, 70, 90, 135])
@pytest.mark.parametrize("period", [10, 16, 24])
def test_even_stripes_are_stripes_whatever_their_direction(angle, period):
    found = spectrum(wave(turned(angle)[0], period)[None], disc())
    assert found.stripes.all()
    assert not found.checks.any()
    assert found.one_way > 0.9


@pytest.mark.parametrize("angle", [0, 20, 45, 70])
@pytest.mark.parametrize("period", [14, 20, 28])
def test_even_checks_are_checks_whatever_their_direction(angle, period):
    along, across = turned(angle)
    found = spectrum((wave(along, period) * wave(across, period))[None], disc())
    assert found.checks.all()
    assert not found.stripes.any()
    assert found.one_way < 0.4


def test_noise_has_neither():
    noise = torch.from_numpy(np.random.default_rng(0).choice([-1.0, 1.0], (10, SIDE, SIDE))).float()
    found = spectrum(noise, disc().expand(10, -1, -1))
    assert not found.stripes.any()
    assert not found.checks.any()


def test_smooth_blotches_seldom_have_either():
    rng = np.random.default_rng(1)
    maps = torch.from_numpy(np.stack([renders.blotches(SIDE, rng) for _ in range(40)])).float() * 2 - 1
    found = spectrum(maps, disc().expand(40, -1, -1))
    assert found.stripes.float().mean() < 0.15
    assert found.checks.float().mean() < 0.1


@pytest.mark.parametrize("shift", [-8, 0, 8])
def test_a_single_edge_is_no_stripe(shift):
    found = spectrum(torch.sign(turned(30)[0] + shift)[None], disc())
    assert not found.stripes.any()
    assert not found.checks.any()


def test_one_colour_has_neither():
    found = spectrum(torch.ones(1, SIDE, SIDE), disc())
    assert not found.stripes.any()
    assert not found.checks.any()


def test_what_is_outside_the_thing_does_not_count():
    striped = wave(turned(0)[0], 12)
    assert not spectrum(torch.where(disc(16)[0] > 0, 1.0, striped)[None], disc(16)).stripes.any()


def test_a_quarter_turn_changes_nothing():
    rng = np.random.default_rng(2)
    map_ = torch.from_numpy(renders.blotches(SIDE, rng)).float()[None]
    first, second = spectrum(map_, disc()), spectrum(map_.rot90(1, (1, 2)), disc().rot90(1, (1, 2)))
    torch.testing.assert_close(first.one_way, second.one_way, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(first.two_ways, second.two_ways, atol=1e-4, rtol=1e-4)


def test_softening_keeps_the_total():
    map_ = torch.zeros(1, SIDE, SIDE)
    map_[0, 30, 30] = 1
    assert softened(map_, 2.0).sum() == pytest.approx(1, abs=1e-5)


def test_maps_and_weights_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="should both be"):
        spectrum(torch.zeros(1, SIDE, SIDE), torch.ones(SIDE, SIDE))


def test_dots_are_several_pieces_and_a_ring_is_not():
    along, across = turned(0)
    lattice = torch.hypot((along % 14) - 7, (across % 14) - 7) < 3.5
    ring = (torch.hypot(along, across) > 12) & (torch.hypot(along, across) < 18)
    where = disc()[0].numpy() > 0
    assert patterns.dotted(lattice.float().numpy(), where)
    assert not patterns.dotted(ring.float().numpy(), where)
    assert not patterns.dotted(np.zeros((SIDE, SIDE)), where)
