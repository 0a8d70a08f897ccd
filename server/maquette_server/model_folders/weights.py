"""The weight files of a model's parts: safetensors only, looked at without loading any.

A safetensors file is eight bytes with the length of its header (little-endian), the header as JSON, then the
numbers: https://huggingface.co/docs/safetensors. A file of 4 GB is checked by reading its header.
"""

import functools
import hashlib
from pathlib import Path
from typing import Any

import msgspec
from maquette_wire.errors import UserError

PARTS = ("unet", "vae", "text_encoder")
FOLDERS = (*PARTS, "scheduler", "tokenizer")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
HINT = "Fetch the model again, or give a complete folder in diffusers format."
_LONGEST_HEADER = 100_000_000  # bytes, as the format has it
_SAMPLES, _SAMPLE = 16, 64 * 1024  # places of a weight file that its digest reads, and bytes at each
_TEXTS = (".json", ".txt", ".model")


def files_of(folder: Path, name: str) -> list[Path]:
    """The weight file of one part, or its shards, in full precision if there are such.

    name: of the model, for the text of the error. Raises UserError `model.pickle`, `model.incomplete`.
    """
    found = sorted(folder.glob("*.safetensors"))
    plain = [file for file in found if ".fp16." not in file.name and ".non_ema." not in file.name]
    if found:
        return plain or found
    pickled = sorted(file.name for file in folder.glob("*") if file.suffix in PICKLES)
    if pickled:
        raise UserError(
            "model.pickle",
            f"The model '{name}' keeps its {folder.name} in '{folder.name}/{pickled[0]}', a pickle,"
            " which Maquette never loads.",
            hint="Convert it to safetensors, or fetch a version that has them.",
        )
    raise UserError("model.incomplete", f"The model '{name}' lacks {folder.name}/*.safetensors.", hint=HINT)


def check(folder: Path, name: str) -> None:
    """Looks at the weight files of every part. Raises UserError `model.pickle|incomplete|bad`."""
    for part in PARTS:
        for file in files_of(folder / part, name):
            _check_whole(file, name)


def digest(folder: Path) -> str:
    """Tells one model from another: 64 hexadecimal digits, the same for a copy of the folder.

    SHA-256 over the settings, the word lists and `maquette.json`, and of every weight file over its header
    and sixteen blocks of 64 KiB that lie evenly in it. Training or merging changes numbers everywhere, so it
    shows; a change that lies between the blocks does not. Cheap for files of any size, and a file is read
    again only when its size or time changes. Raises UserError `model.*` when weights lack, OSError.
    """
    files = [file for part in PARTS for file in files_of(folder / part, folder.name)]
    for place in (folder, *(folder / name for name in FOLDERS)):
        files += [file for file in place.glob("*") if file.suffix in _TEXTS and file.is_file()]
    total = hashlib.sha256()
    for file in sorted(files):
        about = file.stat()
        total.update(f"{file.relative_to(folder).as_posix()} {about.st_size}\n".encode())
        total.update(_digest_of(str(file), about.st_size, about.st_mtime_ns))
    return total.hexdigest()


@functools.lru_cache(maxsize=4096)
def _digest_of(path: str, size: int, changed_ns: int) -> bytes:
    """Of one file as it is; size and time are there to be told apart by."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        if not path.endswith(".safetensors") or size <= 2 * _SAMPLES * _SAMPLE:
            total.update(file.read())
            return total.digest()
        length = 8 + int.from_bytes(file.read(8), "little")
        file.seek(0)
        total.update(file.read(min(length, _LONGEST_HEADER)))
        for number in range(_SAMPLES):
            file.seek(length + number * max(0, size - length - _SAMPLE) // (_SAMPLES - 1))
            total.update(file.read(_SAMPLE))
    return total.digest()


def _check_whole(file: Path, name: str) -> None:
    """Raises UserError `model.bad` when the file is no safetensors file or ends too early."""
    try:
        about = file.stat()
        why = _what_is_wrong(str(file), about.st_size, about.st_mtime_ns)
    except OSError as error:
        why = f"it cannot be read ({error.strerror or error})"
    if why:
        sentence = f"'{file.parent.name}/{file.name}' of the model '{name}' cannot be used: {why}."
        raise UserError("model.bad", sentence, hint=HINT)


@functools.lru_cache(maxsize=1024)
def _what_is_wrong(path: str, size: int, changed_ns: int) -> str:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_LONGEST_HEADER, size - 8):
            return "it is cut short or not a safetensors file"
        try:
            header = msgspec.json.decode(file.read(length), type=dict[str, dict[str, Any]])
            ends = [int(entry["data_offsets"][1]) for key, entry in header.items() if key != "__metadata__"]
        except (msgspec.MsgspecError, ValueError, LookupError, TypeError):
            return "its header is damaged"
    held = size - 8 - length
    needed = max(ends, default=0)
    return "" if needed == held else f"it holds {held} of {needed} bytes"
