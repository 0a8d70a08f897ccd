"""The pictures as latents: encoded once by the trained autoencoder, part by part, and kept on disk.

A target is kept as its posterior's mean and standard deviation, so that every look at it is another sample;
what an edit starts from is kept as the mode, which is what an InstructPix2Pix pipeline feeds. Nothing is
scaled yet.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from safetensors.torch import load_file
from torch import Tensor

from . import data, files

_BATCH = 64


class Pool:
    """The parts read so far, as tensors on a device."""

    def __init__(
        self, folder: Path, name: str, vae: AutoencoderKL, device: torch.device, marked: Sequence[Tensor] = ()
    ) -> None:
        """`name` is one of `data.PARTS`; the autoencoder must be on the device and frozen.

        `marked` are groups of tokens, [M] each; `rows` can draw sentences with one of them more often.
        """
        self._folder, self._name, self._vae, self._device = folder, name, vae, device
        self._groups = marked
        self._marked: list[np.ndarray] = []
        self._parts = 0
        self._held: dict[str, Tensor] = {}

    def __len__(self) -> int:
        """Pictures or edits at hand."""
        return len(self._held["tokens"]) if self._held else 0

    def grow(self, parts: int) -> None:
        """Reads or encodes until that many parts are at hand."""
        if parts <= self._parts:
            return
        fresh = [self._part(number) for number in range(self._parts, parts)]
        for name in fresh[0]:
            more = [part[name].to(self._device) for part in fresh]
            self._held[name] = torch.cat([*([self._held[name]] if self._parts else []), *more])
        self._parts = parts
        tokens = self._held["tokens"].cpu()
        self._marked = [torch.isin(tokens, group).any(1).nonzero()[:, 0].numpy() for group in self._groups]

    def rows(self, rng: np.random.Generator, count: int, shares: Sequence[float] = ()) -> Tensor:
        """Any of all at hand, [count]; of each marked group that share of them comes on top."""
        rows = rng.integers(len(self), size=count)
        group_of = np.searchsorted(np.cumsum(shares), rng.random(count), side="right")
        for number, group in enumerate(self._marked[: len(shares)]):
            again = group_of == number
            if len(group):
                rows[again] = rng.choice(group, int(again.sum()))
        return torch.from_numpy(rows)

    def pick(self, rows: Tensor) -> dict[str, Tensor]:
        """Some of all at hand: tokens [B, 32] int64; latents as kept, float32."""
        picked = {name: held[rows.to(self._device)] for name, held in self._held.items()}
        return {name: each.long() if name == "tokens" else each.float() for name, each in picked.items()}

    def _part(self, number: int) -> dict[str, Tensor]:
        path = self._folder / "latents" / self._name / f"{number:04}.safetensors"
        if not path.exists():
            drawn = data.read(self._folder, self._name, number)
            target = drawn["pictures"] if self._name == "captioned" else drawn["after"]
            mean, spread = self._encode(target)
            found = {"tokens": drawn["tokens"], "mean": mean, "std": spread}
            if self._name == "edited":
                found["before"] = self._encode(drawn["before"])[0]
            files.write(path, found)
        return load_file(path)

    @torch.no_grad()
    def _encode(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [N, 4, 16, 16] float16 of pictures [N, 3, 64, 64] uint8."""
        means, spreads = [], []
        for part in pictures.split(_BATCH):
            picture = (part.to(self._device).float() / 127.5 - 1).contiguous(
                memory_format=torch.channels_last
            )
            posterior = self._vae.encode(picture).latent_dist
            means.append(posterior.mean.half().cpu().contiguous())
            spreads.append(posterior.std.half().cpu().contiguous())
        return torch.cat(means), torch.cat(spreads)
