"""Self-attention in which the views of a batch look at one of them too (arXiv:2406.09402, section 3.2).

The keys and values of every self-attention are those of the anchor view, the first of the batch, beside the
view's own: all views then draw from one appearance, and each keeps what the anchor does not show. Weights
are untouched.
"""

from typing import Any

import torch
from torch import Tensor, nn


class Shared(nn.Module):
    """A denoising network called with the views of one scene; satisfies what `Denoiser` asks of a network.

    Its batch is `branches` times the same views: those of one branch stand together, and share among
    themselves.
    """

    def __init__(self, unet: nn.Module, branches: int) -> None:
        super().__init__()
        self.unet = unet
        self._processor = _Processor(branches)

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, return_dict: bool = False
    ) -> tuple[Tensor]:
        """As the network's own."""
        unet: Any = self.unet
        own = unet.attn_processors
        shared = {
            name: self._processor if name.endswith("attn1.processor") else each for name, each in own.items()
        }
        unet.set_attn_processor(shared)
        try:
            predicted: Tensor = unet(
                sample, timestep, encoder_hidden_states=encoder_hidden_states, return_dict=False
            )[0]
        finally:
            unet.set_attn_processor(own)
        return (predicted,)


class _Processor:
    """Attention of a transformer block to itself, with the anchor's keys and values before its own."""

    def __init__(self, branches: int) -> None:
        self._branches = branches

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **unused: Any,
    ) -> Tensor:
        """hidden_states: [branches * views, tokens, width]."""
        query, key, value = (layer(hidden_states) for layer in (attn.to_q, attn.to_k, attn.to_v))
        key, value = (self._with_anchor(each) for each in (key, value))
        heads = attn.heads
        query, key, value = (each.unflatten(-1, (heads, -1)).transpose(1, 2) for each in (query, key, value))
        found = nn.functional.scaled_dot_product_attention(query, key, value, scale=attn.scale)
        found = found.transpose(1, 2).flatten(2).to(hidden_states.dtype)
        out: Tensor = attn.to_out[1](attn.to_out[0](found))
        return out / attn.rescale_output_factor

    def _with_anchor(self, states: Tensor) -> Tensor:
        """[B, 2 tokens, width]: those of the branch's first view, then the view's own."""
        by_branch = states.unflatten(0, (self._branches, -1))
        anchor = by_branch[:, :1].expand_as(by_branch)
        return torch.cat([anchor, by_branch], 2).flatten(0, 1)
