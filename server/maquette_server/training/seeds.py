"""Random numbers of a job: one seed, children by name, so that a new consumer never shifts the others."""

import hashlib
from typing import Any

import numpy as np
import torch


def generator(seed: int, name: str) -> np.random.Generator:
    """The numpy generator of the child `name`."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *_key(name)])))


def torch_generator(seed: int, name: str, device: torch.device) -> torch.Generator:
    """The torch generator of the child `name` on a device."""
    state = np.random.SeedSequence([seed, *_key(name)]).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state[0]) >> 1)


def child(seed: int, name: str) -> int:
    """A seed for a part of a job that has children of its own."""
    state = np.random.SeedSequence([seed, *_key(name)]).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def state_of(source: np.random.Generator) -> dict[str, Any]:
    """The generator's state as JSON-able values (whole numbers as text: they have 128 bits)."""
    state = source.bit_generator.state
    return {
        "state": str(state["state"]["state"]),
        "inc": str(state["state"]["inc"]),
        "has_uint32": int(state["has_uint32"]),
        "uinteger": int(state["uinteger"]),
    }


def restore(source: np.random.Generator, saved: dict[str, Any]) -> None:
    """Puts `source` where `state_of` found it."""
    source.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": int(saved["state"]), "inc": int(saved["inc"])},
        "has_uint32": int(saved["has_uint32"]),
        "uinteger": int(saved["uinteger"]),
    }


def _key(name: str) -> list[int]:
    return list(np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], np.uint32).tolist())
