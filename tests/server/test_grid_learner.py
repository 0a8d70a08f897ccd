"""Facts about which grid is chosen for which pictures."""

import math
from pathlib import Path

import ball_captures
import numpy as np
import pytest
import torch
from maquette_server.datasets import multiscale, opening
from maquette_server.fields import spherical_harmonics
from maquette_server.methods.reconstruct import ReconstructParams, grid_learner, learning
from maquette_server.methods.reconstruct import space as spaces
from maquette_server.rendering.posed import CameraRays, Posed
from maquette_server.training.pixels import Picture
from scene_jobs import make_quick

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    make_quick(monkeypatch)


def captured(folder: Path) -> learning.Capture:
    loading = learning.capture(opening.read(folder), 1)
    while True:
        try:
            next(loading)
        except StopIteration as end:
            found: learning.Capture = end.value
            return found


def started(capture: learning.Capture, progress: float = 0.0) -> grid_learner.GridLearner:
    space = spaces.of(capture.dataset, capture.frames, capture.pictures, "object")
    return grid_learner.start(capture, space, ReconstructParams(), lambda step: progress, 0, CPU)


def several_sizes(folder: Path) -> Path:
    whole = opening.read(ball_captures.write(folder / "whole").folder)
    (folder / "sizes").mkdir()
    multiscale.convert(whole, folder / "sizes", 3)
    return folder / "sizes"


def test_rays_are_as_fine_as_the_finest_pictures_whatever_a_pixels_size(tmp_path: Path) -> None:
    several = started(captured(several_sizes(tmp_path)), progress=1.0)
    one_size = started(captured(tmp_path / "whole"), progress=1.0)
    assert several.finest == pytest.approx(one_size.finest, rel=1e-3)
    cameras = several._pixels.cameras
    assert float(cameras.footprints.max()) == pytest.approx(8 * several.finest, rel=0.05)


def test_halved_pictures_count_by_their_pixels_for_the_grid_and_by_their_area_for_mip_nerf(
    tmp_path: Path,
) -> None:
    capture = captured(several_sizes(tmp_path))
    space = spaces.of(capture.dataset, capture.frames, capture.pictures, "object")
    alike, by_area = (learning.pixels_of(capture, space, CPU, by_area=each) for each in (False, True))
    random = torch.Generator().manual_seed(0)
    levels = torch.tensor([frame.level for frame in capture.frames])
    shares = []
    for source in (alike, by_area):
        drawn = levels[source.draw(20_000, random).pictures]
        shares.append([float((drawn == level).float().mean()) for level in range(3)])
    assert shares[0] == pytest.approx([16 / 21, 4 / 21, 1 / 21], abs=0.02)
    assert shares[1] == pytest.approx([1 / 3] * 3, abs=0.02)


@pytest.mark.parametrize("sizes", [1, 3])
def test_pixels_become_means_of_rays_late_and_are_shown_so_from_then_on(tmp_path: Path, sizes: int) -> None:
    folder = several_sizes(tmp_path) if sizes > 1 else ball_captures.write(tmp_path).folder
    capture = captured(folder)
    early = started(capture, progress=0.1)
    early.advance(1000)
    assert math.isinf(early.scene().finest)
    late = started(capture, progress=0.9)
    late.advance(1000)
    assert late.scene().finest == late.finest < math.inf
    early.restore(late.state())
    assert early.scene().finest == late.finest


def test_preparing_takes_pictures_that_cannot_be_learnt_from(tmp_path: Path) -> None:
    """What compiles looks at one picture, and that may be masked as a whole."""
    capture = captured(ball_captures.write(tmp_path).folder)
    hidden = tuple(np.zeros(each.shape[:2], bool) for each in capture.pictures[:1])
    masked = learning.Capture(capture.dataset, capture.frames, capture.pictures, hidden + capture.known[1:])
    space = spaces.of(capture.dataset, capture.frames, capture.pictures, "object")
    grid_learner.prepare(masked, space, ReconstructParams(), CPU)


def test_a_matt_colour_does_not_hang_on_directions(tmp_path: Path) -> None:
    """Every other picture says that the ball is blue, the others that it is red."""
    capture = captured(ball_captures.write(tmp_path, 8).folder)
    cameras = [Posed(frame.world_from_camera, frame.lens) for frame in capture.frames]
    spreads = []
    for matt in (False, True):
        learner = started(capture)
        painted = {}
        for number, (camera, given) in enumerate(zip(cameras, capture.pictures, strict=True)):
            values = np.dstack([np.zeros_like(given[..., :3]), given[..., 3]])
            values[..., 2 * (number % 2)] = 255
            painted[number] = Picture(camera, values, matt=np.full(given.shape[:2], matt))
        learner._pixels.replace(painted)
        for step in range(150):
            learner.advance(step)
        field, found = learner.scene(), []
        for camera in cameras:
            rays = CameraRays([camera], field.domain, 0.0, 9.0).whole(0)
            depths = field.see(rays).depths
            there = torch.isfinite(depths)
            points = field.domain.unit((rays.origins + depths[:, None] * rays.directions)[there])
            code = field.field.code(points, torch.full([len(points)], 1e-3))
            sides = torch.nn.functional.normalize(rays.directions[there], dim=-1)
            one, other = (
                field.field.colours(code, spherical_harmonics.basis(side)) for side in (sides, -sides)
            )
            found.append((one - other).detach().abs().mean())
        spreads.append(float(torch.stack(found).mean()))
    assert spreads[1] < 0.2 * spreads[0], spreads
