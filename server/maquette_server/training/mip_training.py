"""Training a mip-NeRF: its loss, its learning rates and one step (arXiv:2103.13415, sec. 3 and 4).

A step takes R rays in blocks, each forward and back before the next begins: on a CPU what then lies between
two layers stays in the cache, elsewhere memory bounds the block. The gradient is that of the whole batch.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ..fields import mip
from ..methods import base
from ..rendering import cone_render, rays, sampling
from . import adam_state, mip_presets, seeds

_LONGEST_START = 0.1  # of the training: the softened start


class MipTask:
    """The fields and their optimiser; a `training.loop.Task`."""

    def __init__(
        self,
        preset: mip_presets.Preset,
        batch: Callable[[int], rays.Batch],
        *,
        seed: int,
        device: torch.device | str = "cpu",
        block: int | None = None,
        dtype: torch.dtype = torch.float32,
        recompute: bool = False,
        progress: Callable[[int], float] | None = None,
    ) -> None:
        """batch: the rays and colours of a step, the same ones for the same step, on any device.

        block: rays that go forward and back together; None takes few on a CPU and all elsewhere.
        dtype: of the layers of the networks; bfloat16 where the device is faster in it.
        recompute: spares the memory of activations for another way forward.
        progress: of a step's number, the share of the training that is over, 0..1; None: by the schedule's
        own number of steps.
        """
        self.preset = preset
        self._batch = batch
        self._device = torch.device(device)
        self._progress = progress
        self._block = block
        if block is None and self._device.type == "cpu":
            self._block = cone_render.rays_at_once(self._device, preset.sampling, preset.network)
        start = seeds.torch_generator(seed, "mip.start", torch.device("cpu"))
        self.field = mip.MipField(preset.network, generator=start).to(self._device)
        self.coarse: mip.DensityField | None = None
        if preset.proposal is not None:
            self.coarse = mip.DensityField(preset.proposal, generator=start).to(self._device)
        elif preset.two_networks:
            self.coarse = mip.MipField(preset.network, generator=start).to(self._device)
        self._parameters = {f"field.{name}": value for name, value in self.field.named_parameters()}
        if self.coarse is not None:
            named = self.coarse.named_parameters()
            self._parameters |= {f"coarse.{name}": value for name, value in named}
        self._optimiser = torch.optim.Adam(self._parameters.values(), lr=preset.schedule.first, fused=True)
        self._jitter = seeds.torch_generator(seed, "mip.jitter", self._device)
        self._noise = seeds.torch_generator(seed, "mip.noise", self._device)
        self._mode = mip.Mode(self._noise, dtype, recompute)
        self._losses = torch.zeros(2, device=self._device)

    def advance(self, step: int) -> None:
        """One optimiser step; `step` counts from 0. A batch without rays changes nothing."""
        batch = self._batch(step).to(self._device)
        if not len(batch):
            return
        weights = batch.weights if self.preset.area_loss else torch.ones_like(batch.weights)
        shares = weights / weights.sum()
        self._optimiser.zero_grad(set_to_none=True)
        total = torch.zeros_like(self._losses)
        for part in rays.slices(len(batch), self._block_size(len(batch))):
            total += self._gradient(batch[part], shares[part], (part.stop - part.start) / len(batch))
        progress = None if self._progress is None else self._progress(step)
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self.preset.schedule, step, progress)
        self._optimiser.step()
        self._losses = total

    def _block_size(self, count: int) -> int:
        """Rays of a block when a step has `count`; all alike, as a rest of few would cost as much as many."""
        if self._block is None:
            return count
        return math.ceil(count / math.ceil(count / self._block))

    def _gradient(self, part: rays.Batch, shares: Tensor, portion: float) -> Tensor:
        """Adds the gradient of a block; returns what it adds to the losses of the two passes, [2].

        shares: [R], weight of each ray over that of all in the step.  portion: of the step's rays.
        """
        passes = cone_render.passes(
            self.field,
            part.rays,
            self.preset.sampling,
            coarse=self.coarse,
            jitter=self._jitter,
            mode=self._mode,
        )
        first = next(passes)
        if first.composite is not None:
            coarse = colour_loss(first.composite.colours, part.colours, shares)
            # at once: what the first pass keeps for the way back is gone before the second begins
            (self.preset.coarse_weight * coarse).backward()
        second = next(passes)
        assert second.composite is not None
        fine = colour_loss(second.composite.colours, part.colours, shares)
        fine.backward()
        if first.composite is None:
            coarse = portion * proposal_loss(first, second)
            (self.preset.coarse_weight * coarse).backward()
        return torch.stack([coarse.detach(), fine.detach()])

    def picture(self, seen: rays.Rays) -> cone_render.Picture:
        """What the fields as they are now show along rays, on the fields' device; without jitter or noise."""
        mode = mip.Mode(dtype=self._mode.dtype)
        return cone_render.picture(
            self.field, seen.to(self._device), self.preset.sampling, coarse=self.coarse, mode=mode
        )

    def losses(self) -> Mapping[str, float]:
        """Losses of the two passes in the newest step, before they are weighed against each other; `fine` is
        three times the mean square error.
        """
        coarse, fine = self._losses.tolist()
        return {"proposal" if self.preset.proposal is not None else "coarse": coarse, "fine": fine}

    def state(self) -> base.State:
        """Parameters, moments and generators, copied."""
        tensors = {name: parameter.detach().cpu().clone() for name, parameter in self._parameters.items()}
        tensors |= adam_state.saved(self._optimiser, self._parameters)
        tensors["random.jitter"] = self._jitter.get_state()
        tensors["random.noise"] = self._noise.get_state()
        return base.State(tensors, {})

    def rewind(self, state: base.State) -> None:
        """Parameters and moments of a state; the generators stay where they are."""
        for name, parameter in self._parameters.items():
            parameter.data.copy_(state.tensors[name])
        adam_state.restore(self._optimiser, self._parameters, state.tensors)

    def restore(self, state: base.State) -> None:
        """Goes on from a checkpoint bit for bit."""
        self.rewind(state)
        self._jitter.set_state(state.tensors["random.jitter"].cpu())
        self._noise.set_state(state.tensors["random.noise"].cpu())


def colour_loss(seen: Tensor, wanted: Tensor, shares: Tensor) -> Tensor:
    """Sum over rays of share times squared distance of colours [R, 3] (sec. 3.2).

    shares: [R], the weights of the rays over their sum. Colours are not clipped.
    """
    if seen.shape != wanted.shape or seen.shape != (len(shares), 3):
        raise ValueError(
            f"colours [R, 3] and shares [R] do not agree: {list(seen.shape)}, {list(wanted.shape)},"
            f" {list(shares.shape)}"
        )
    return ((seen - wanted).square().sum(-1) * shares).sum()


def proposal_loss(first: cone_render.Level, second: cone_render.Level) -> Tensor:
    """How much of the second pass's weights the first left no room for (mip-NeRF 360, arXiv:2111.12077,
    on its proposal network), on average over intervals; has a gradient in the first pass only.
    """
    wanted = second.weights.detach()
    missing = (wanted - sampling.bounds(second.posts, first.posts, first.weights)).clamp_min(0)
    return (missing.square() / (wanted + torch.finfo(wanted.dtype).eps)).mean()


def learning_rate(schedule: mip_presets.Schedule, step: int, progress: float | None = None) -> float:
    """The rate of a step, which counts from 0 (sec. 4 and the released code).

    progress: the share of the training that is over; None: by the schedule's own number of steps. The start
    of a short training is softened for a tenth of it at most.
    """
    if progress is None:
        progress = step / schedule.steps
    progress = min(max(progress, 0.0), 1.0)
    rate = math.exp((1 - progress) * math.log(schedule.first) + progress * math.log(schedule.last))
    if schedule.warm_up:
        grown = math.sin(math.pi / 2 * min(max(step / schedule.warm_up, progress / _LONGEST_START), 1.0))
        rate *= schedule.warm_from + (1 - schedule.warm_from) * grown
    return rate
