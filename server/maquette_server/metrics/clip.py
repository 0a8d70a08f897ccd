"""What CLIP says of an edit (Radford et al. 2021, arXiv:2103.00020): whether pictures went where the words
went, and whether neighbouring pictures went the same way (Instruct-NeRF2NeRF, arXiv:2303.12789, section 5).

Embeddings have length 1. Of N views there are pictures before and after the edit, and the same from a little
further on a camera's way. Pictures are sRGB in 0..1; the whole of one is squashed to the model's square.

The weights are files that the user brings: a folder as `transformers` writes it, with a CLIPModel as
safetensors and its tokenizer.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from maquette_wire.errors import UserError
from torch import Tensor
from torch.nn import functional

log = logging.getLogger(__name__)

_MEAN = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
_NO_WAY = 1e-6  # length of a difference that has no direction
OUT_OF_MEMORY = torch.OutOfMemoryError
HINT = "Name a folder with a CLIPModel and its tokenizer with: maquette models clip FOLDER"


class Clip:
    """A loaded model: pictures and texts as embeddings of D numbers."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self._model, self._tokenizer = model, tokenizer
        self.name = name
        self._side = int(model.config.vision_config.image_size)

    def to(self, device: torch.device | str) -> "Clip":
        """The same, its weights on another device."""
        self._model.to(device)
        return self

    @torch.inference_mode()
    def pictures(self, colours: Tensor) -> Tensor:
        """Embeddings [B, D] of pictures [B, 3, H, W]. Raises ValueError for another shape."""
        if colours.ndim != 4 or colours.shape[1] != 3:
            raise ValueError(f"pictures are [B, 3, H, W], not {tuple(colours.shape)}")
        like = next(self._model.parameters())
        colours = colours.to(like.device, torch.float32)
        small = functional.interpolate(colours, (self._side, self._side), mode="bicubic", align_corners=False)
        mean, deviation = (small.new_tensor(each).view(1, 3, 1, 1) for each in (_MEAN, _DEVIATION))
        found = self._model.vision_model(pixel_values=((small - mean) / deviation).to(like.dtype))
        return _unit(self._model.visual_projection(found.pooler_output))

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Embeddings [B, D] of texts; what is longer than the model reads is cut."""
        most = int(self._model.config.text_config.max_position_embeddings)
        given = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=most, return_tensors="pt"
        )
        ids = given.input_ids.to(next(self._model.parameters()).device)
        found = self._model.text_model(input_ids=ids, attention_mask=given.attention_mask.to(ids.device))
        return _unit(self._model.text_projection(found.pooler_output))


def direction(before: Tensor, after: Tensor, text_before: Tensor, text_after: Tensor) -> float | None:
    """Text-image direction similarity: the mean over views of the cosine between the way of the pictures and
    that of the texts; None where neither went anywhere.

    before, after: [N, D].  text_before, text_after: [D].
    """
    return _mean_cosine(after - before, (text_after - text_before).expand_as(before))


def consistency(
    before: Tensor, after: Tensor, before_next: Tensor, after_next: Tensor
) -> dict[str, float | None]:
    """The three readings of the published direction consistency, [N, D] each: the cosine between

    "a", how the picture changes from a view to the next before the edit, and how it does after it;
    "b", how the edit changes a view, and how it changes the next;
    "c", an edited view and the next edited one.
    """
    return {
        "a": _mean_cosine(before_next - before, after_next - after),
        "b": _mean_cosine(after - before, after_next - before_next),
        "c": _mean_cosine(after, after_next),
    }


def load(folder: Path) -> Clip:
    """The model of a folder, on the CPU. Raises UserError `clip.missing` when it cannot be used."""
    from transformers import CLIPModel, CLIPTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    if not (folder / "config.json").is_file():
        raise UserError("clip.missing", f"'{folder}' holds no CLIP model: it has no config.json.", hint=HINT)
    try:
        model, told = CLIPModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        # Settings that nobody promised to be sensible raise errors of all kinds.
        if isinstance(error, MemoryError):
            raise
        log.info("CLIP could not be loaded", exc_info=error)
        why = (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
        raise UserError(
            "clip.missing", f"The CLIP model in '{folder}' cannot be used: {why}.", hint=HINT
        ) from error
    lacking = sorted(told["missing_keys"])
    if lacking:
        raise UserError(
            "clip.missing", f"The CLIP model in '{folder}' lacks weights, such as {lacking[0]}.", hint=HINT
        )
    model.requires_grad_(False).eval()
    return Clip(model, tokenizer, folder.name)


def _unit(values: Tensor) -> Tensor:
    return functional.normalize(values.float(), dim=-1).cpu()


def _mean_cosine(first: Tensor, second: Tensor) -> float | None:
    """The mean over those rows where both have a direction."""
    lengths = torch.minimum(first.norm(dim=-1), second.norm(dim=-1))
    counted = lengths > _NO_WAY
    if not bool(counted.any()):
        return None
    return float(functional.cosine_similarity(first[counted], second[counted], dim=-1).mean())
