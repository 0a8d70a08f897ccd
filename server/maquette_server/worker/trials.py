"""What works here, tried in a process of its own: a trial that brings the process down is a finding too.

    python -m maquette_server.worker.trials torch
    python -m maquette_server.worker.trials rasteriser NAME DEVICE

Prints one JSON object: {"ok": bool, "text": what was found, ...}.
"""

import importlib.util
import json
import math
import sys
from collections.abc import Callable
from typing import Any

from maquette_wire.errors import UserError

Finding = dict[str, Any]


def torch() -> Finding:
    """A matrix product on every device."""
    import torch as library

    devices = {"cpu": "", **{f"cuda:{i}": "" for i in range(library.cuda.device_count())}}
    for name in devices:
        square = library.eye(64, device=name)
        if float((square @ square).sum().item()) != 64:
            return {"ok": False, "text": f"torch {library.__version__} multiplies wrongly on {name}"}
        if name.startswith("cuda"):
            about = library.cuda.get_device_properties(name)
            devices[name] = f"{about.name}, {about.total_memory / 2**30:.0f} GiB"
    cuda = "; ".join(f"{name} {text}" for name, text in devices.items() if text)
    text = f"torch {library.__version__}, {cuda or 'no CUDA device'}"
    return {"ok": True, "text": text, "version": library.__version__, "devices": devices}


def rasteriser(name: str, device: str) -> Finding:
    """A triangle over the lower left half of a small picture: has it the right pixels, at the right depth?"""
    import numpy as np

    from ..cameras import pinhole
    from ..rasterise import choose

    reason = choose.available(device).get(name, "unknown")
    if reason:
        return {"ok": False, "text": reason}
    corners = np.array([[-1, -1, 0], [1, -1, 0], [-1, 1, 0]], np.float32)
    made = choose.make(name, corners, np.array([[0, 1, 2]], np.int32), device)
    pose = np.eye(4)
    pose[2, 3] = 2.0
    camera = pinhole.Pinhole.from_fov(pose, 2 * math.atan(0.5), 33, 33)
    seen = made.rasterise(camera)
    share = float((seen.face >= 0).mean())
    depth = float(seen.depth[seen.face >= 0].mean()) if share else math.inf
    good = abs(share - 0.5) < 0.05 and abs(depth - 2.0) < 1e-3
    return {"ok": good, "text": f"on {device}" if good else f"draws wrongly on {device}"}


def hash_grid() -> Finding:
    """Whether tiny-cuda-nn, the hash grid of fields to come, works here."""
    if importlib.util.find_spec("tinycudann") is None:
        return {"ok": False, "text": "tiny-cuda-nn is not installed; no method of this version needs it"}
    tinycudann = importlib.import_module("tinycudann")
    encoding = tinycudann.Encoding(3, {"otype": "HashGrid", "n_levels": 2, "n_features_per_level": 2})
    return {"ok": True, "text": f"tiny-cuda-nn, {encoding.n_output_dims} outputs from a grid of two levels"}


TRIALS: dict[str, Callable[..., Finding]] = {
    "torch": torch,
    "rasteriser": rasteriser,
    "hash_grid": hash_grid,
}


def main(words: list[str]) -> None:
    """Runs the named trial with its arguments."""
    try:
        finding = TRIALS[words[0]](*words[1:])
    except UserError as error:
        finding = {"ok": False, "text": error.line()}
    except Exception as error:  # noqa: BLE001  # whatever it is, it is what was to be found out
        finding = {"ok": False, "text": f"{type(error).__name__}: {str(error).splitlines()[:1]}"}
    sys.stdout.write(json.dumps(finding) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
