"""A prompt as the embeddings a diffusion model listens to, with the words that name the side an object is
seen from.

N tokens, D numbers a token. The view word follows the prompt as ", front view" (arXiv:2211.07600); a prompt
that is too long is cut before the word is added, so that the word is never lost.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_MARKS = 2  # tokens at the ends of every text
_MOST_QUOTED = 5  # unknown words in a warning
_RESERVED = 6  # tokens kept for the view words and the marks, at least


class TextEncoder:
    """Tokenizer and text model of one checkpoint, with a cache of what was embedded."""

    def __init__(self, tokenizer: Any, model: Any, vocabulary: frozenset[str]) -> None:
        """`vocabulary` are the words the model knows, lower case; empty when nobody knows."""
        self._tokenizer = tokenizer
        self._model = model
        self._vocabulary = vocabulary
        self._cache: dict[str, Tensor] = {}

    @property
    def max_tokens(self) -> int:
        """N."""
        return min(int(self._tokenizer.model_max_length), int(self._model.config.max_position_embeddings))

    @torch.no_grad()
    def embed(self, text: str) -> Tensor:
        """[1, N, D] of one text, cut or padded to N tokens."""
        if text not in self._cache:
            kept, _ = self.cut(text)
            tokens = self._tokenizer(
                [kept], padding="max_length", max_length=self.max_tokens, truncation=True, return_tensors="pt"
            )
            ids = tokens.input_ids.to(next(self._model.parameters()).device)
            self._cache[text] = self._model(ids)[0]
        return self._cache[text]

    def with_words(self, prompt: str, words: Sequence[str]) -> list[Tensor]:
        """[1, N, D] of `"{prompt}, {word} view"` for each word; an empty word leaves the prompt alone."""
        kept, _ = self.cut(prompt, words)
        return [self.embed(f"{kept}, {word} view" if word else kept) for word in words]

    def cut(self, prompt: str, words: Sequence[str] = ()) -> tuple[str, str]:
        """The part of the prompt that fits, before the longest view word if there are words, and the rest."""
        suffixes = [len(self._pieces(f", {word} view")) + _MARKS for word in words if word]
        room = self.max_tokens - (max(_RESERVED, *suffixes) if suffixes else _MARKS)
        if len(self._pieces(prompt)) <= room:
            return prompt.rstrip(), ""
        # Between words where there are any, else within one: some scripts have no spaces.
        ends = [match.end() for match in re.finditer(r"\S+\s*", prompt)]
        if ends and len(self._pieces(prompt[: ends[0]])) > room:
            ends = list(range(1, ends[0] + 1))
        fits = 0
        low, high = 0, len(ends)
        while low < high:
            middle = (low + high + 1) // 2
            if len(self._pieces(prompt[: ends[middle - 1]])) <= room:
                low, fits = middle, ends[middle - 1]
            else:
                high = middle - 1
        return prompt[:fits].rstrip(), prompt[fits:].strip()

    def remark(
        self, prompt: str, words: Sequence[str], warn: Callable[[str, str], None], negative: str = ""
    ) -> None:
        """Warns about a prompt or a negative prompt that was cut, and about words that the model does not
        know.
        """
        for what, lost in (
            ("prompt", self.cut(prompt, words)[1]),
            ("negative prompt", self.cut(negative)[1]),
        ):
            if lost:
                warn("prompt.cut", f'The {what} is longer than the model reads; left out: "{lost}".')
        spoken = list(dict.fromkeys(re.findall(r"[^\W\d_]+", prompt.lower())))
        strange = [word for word in spoken if not self._knows(word)]
        if not self._vocabulary or not strange:
            return
        if len(strange) == len(spoken):
            warn("prompt.unknown", f'The model knows none of the words of "{prompt}"; expect a guess.')
            return
        quoted = ", ".join(f'"{word}"' for word in strange[:_MOST_QUOTED])
        more = f" and {len(strange) - _MOST_QUOTED} more" if len(strange) > _MOST_QUOTED else ""
        warn("prompt.unknown", f"The model does not know {quoted}{more}; it goes by the other words.")

    def _knows(self, word: str) -> bool:
        """Plurals pass for their singular."""
        return word in self._vocabulary or (word.endswith("s") and word[:-1] in self._vocabulary)

    def _pieces(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, truncation=False).input_ids)
