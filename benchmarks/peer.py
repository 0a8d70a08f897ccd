"""A public radiance field of the package index beside ours: the same pictures, threads and seconds.

nerf-pytorch 1.2 (github.com/brandontrabucco/nerf, MIT) is the one on the index whose release runs without a
GPU: a network without a grid, 64 samples a ray in learnt places. It has the sizes of its README (128 wide,
1,024 rays, density noise 1, near 2, far 6); which learning rate it wants it does not say: Adam from 1e-3 down
to 1e-4 over the run. It knows no background, so both learn from, and are shown, lego over black. The better
public codes, which are on no index, stand at the top of `reconstruct.py`. Budgets of a kind run turn about;
PSNR is the mean over the 25 test views of 100 x 100 pixels.
"""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from maquette_server.datasets import opening
from maquette_server.datasets.base import DataSet
from maquette_server.metrics import picture_errors

from benchmarks import frame, reconstruct, trials

TITLE = "Reconstruction beside a public code"
PEER = "nerf-pytorch==1.2"
FOLDER = frame.ROOT / "build" / "peer"
BUDGETS = (60.0, 300.0)  # s
RAYS, SAMPLES, NEAR, FAR, SCALE, NOISE = 1024, 64, 2.0, 6.0, 6.0, 1.0
RATES = (1e-3, 1e-4)  # at first and at last


def run(budgets: Sequence[float] = BUDGETS, most_views: int | None = None) -> list[frame.Figure]:
    """PSNR of both after each budget, and what a view takes. most_views: to try the benchmark out."""
    trials.threads(min(2, os.cpu_count() or 1))
    found: list[frame.Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        reconstruct.lego(Path(folder))
        whole = dataclasses.replace(opening.read(Path(folder)), background="black")
        held_out = trials.views(whole)[:most_views]
        capture = trials.captured(whole)
        for seconds in budgets:
            learner, steps = trials.learn(trials.maker(capture), seconds)
            ours = trials.measured(learner, held_out)
            peer = Peer(whole)
            peer_steps = peer.learn(seconds)
            theirs = peer.measured(held_out)
            gained = ours.psnr - theirs.psnr
            found += [
                frame.Figure(f"ours, {seconds:g} s", ours.psnr, "dB", note=f"{steps} steps"),
                frame.Figure(f"{PEER}, {seconds:g} s", theirs.psnr, "dB", note=f"{peer_steps} steps"),
                frame.Figure(f"ours better by, {seconds:g} s", gained, "dB", goal=0.0, least=True),
                frame.Figure(f"ours, {seconds:g} s: a view", ours.seconds_a_view, "s"),
                frame.Figure(f"{PEER}, {seconds:g} s: a view", theirs.seconds_a_view, "s"),
            ]
    return found


class Peer:
    """The other code's field, as its README uses it."""

    def __init__(self, whole: DataSet) -> None:
        self.kind = installed()
        torch.manual_seed(0)
        self.field = self.kind(normalize_position=SCALE)
        views = trials.views(whole, "train")
        self.pixels = torch.cat([torch.from_numpy(one.truth).float().reshape(-1, 3) for one in views])
        rays = [self.rays(one) for one in views]
        self.origins = torch.cat([origins for origins, _ in rays])
        self.directions = torch.cat([directions for _, directions in rays])

    def rays(self, view: trials.View) -> tuple[torch.Tensor, torch.Tensor]:
        """Origins and directions [H W, 3]."""
        lens = view.camera.lens
        pose = torch.from_numpy(view.camera.world_from_camera).float()
        rays = self.kind.generate_rays(lens.height, lens.width, lens.focal_x).reshape(-1, 3)
        origins, directions = self.kind.rays_to_world_coordinates(
            rays, pose[:3, 3].expand(len(rays), 3), pose[:3, :3].expand(len(rays), 3, 3)
        )
        return origins, directions

    def learn(self, seconds: float) -> int:
        """Learns for so long; returns the number of steps."""
        optimiser = torch.optim.Adam(self.field.parameters(), RATES[0])
        self.loss().backward()  # the first step takes longer, and does not count
        steps = 0
        began = time.monotonic()
        while (gone := (time.monotonic() - began) / seconds) < 1:
            optimiser.param_groups[0]["lr"] = RATES[0] * (RATES[1] / RATES[0]) ** gone
            optimiser.zero_grad()
            self.loss().backward()
            optimiser.step()
            steps += 1
        return steps

    def loss(self) -> torch.Tensor:
        """The mean squared error of random pixels."""
        drawn = torch.randint(len(self.pixels), (RAYS,))
        shown = self.field.render_rays(
            self.origins[drawn],
            self.directions[drawn],
            NEAR,
            FAR,
            SAMPLES,
            randomly_sample=True,
            density_noise_std=NOISE,
        )
        error: torch.Tensor = (shown - self.pixels[drawn]).square().mean()
        return error

    @torch.no_grad()
    def measured(self, seen: Sequence[trials.View]) -> trials.Measured:
        """PSNR of every view."""
        errors = []
        spent = 0.0
        for view in seen:
            origins, directions = self.rays(view)
            began = time.monotonic()
            parts = [
                self.field.render_rays(*rays, NEAR, FAR, SAMPLES)
                for rays in zip(origins.split(RAYS), directions.split(RAYS), strict=True)
            ]
            spent += time.monotonic() - began
            shown = torch.cat(parts).reshape(view.truth.shape).clamp(0, 1).double().numpy()
            errors.append(picture_errors.psnr(view.truth, np.asarray(shown)))
        return trials.Measured(tuple(errors), spent / len(seen))


def installed() -> Any:
    """The peer's class; its release is fetched into the build folder where it is missing.

    Raises Lacking where it cannot be fetched.
    """
    if not (FOLDER / "nerf").is_dir():
        line = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", FOLDER, PEER]
        if subprocess.run(line, check=False).returncode:
            raise frame.Lacking(f"{PEER} cannot be fetched")
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    from nerf.model import NeRF  # type: ignore[import-not-found]

    return NeRF
