"""A byte-level byte-pair tokenizer in CLIP's form, learnt from the captions and instructions.

Bytes are its alphabet, so that no prompt is without tokens.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTokenizer

from ..refusals import Refused
from . import files

LENGTH = 32  # tokens a prompt, start and end included
_MOST = 1500
_SEEN_AT_LEAST = 15
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_START, _END = "<|startoftext|>", "<|endoftext|>"


def learn(sentences: Iterable[str], folder: Path) -> CLIPTokenizer:
    """Learns the merges, writes the tokenizer to a folder and returns it."""
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    split = pre_tokenizers.Split(Regex(_WORDS), "removed", invert=True)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(
        vocab_size=_MOST,
        end_of_word_suffix="</w>",
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=_SEEN_AT_LEAST,
        show_progress=False,
    )
    bpe.train_from_iterator(sentences, trainer)
    merges = _merges(bpe)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    entries = dict.fromkeys([*alphabet, *(letter + "</w>" for letter in alphabet)])
    entries |= dict.fromkeys(left + right for left, right in merges)
    entries |= dict.fromkeys([_START, _END])
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH, pad_token=_END)
    with files.whole(folder) as waiting:
        tokenizer.save_pretrained(waiting)
    return load(folder)


def load(folder: Path) -> CLIPTokenizer:
    """What `learn` wrote. Raises Refused when it is not there: transformers makes an empty one of nothing."""
    if not (folder / "tokenizer.json").is_file():
        raise Refused(f"'{folder}' holds no tokenizer. Delete the folder and run `data` again.")
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def single(spoken: CLIPTokenizer, words: Iterable[str]) -> Tensor:
    """The tokens of those words that are one token each, int16."""
    rows = (spoken(word, add_special_tokens=False).input_ids for word in words)
    return torch.tensor([row[0] for row in rows if len(row) == 1], dtype=torch.int16)


def _merges(bpe: Tokenizer) -> list[tuple[str, str]]:
    rows = json.loads(bpe.to_str())["model"]["merges"]
    return [(row[0], row[1]) for row in rows]
