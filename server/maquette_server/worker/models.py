"""Models that are loaded, at most one of each kind; kept between jobs until they are released."""

import gc
import logging
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


class Models:
    """The loaded models of one worker."""

    def __init__(self) -> None:
        self._loaded: dict[str, tuple[tuple[str, str, str], Any]] = {}

    def get(self, kind: str, path: str, device: str, digest: str = "") -> Any:
        """The model of that kind in the folder `path`, on the device; loaded anew when the folder's digest is
        another one. Raises UserError `model.*`.
        """
        name, model = self._loaded.get(kind, (None, None))
        if name != (path, device, digest):
            self._loaded.pop(kind, None)
            del model  # its memory is needed for the next one
            log.info("loading a model of kind %s", kind)
            model = _load(path, device, kind)
            self._loaded[kind] = ((path, device, digest), model)
        return model

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of which there is one."""
        return tuple(self._loaded)

    def keep(self, kinds: Collection[str]) -> float:
        """Forgets those of other kinds; returns what `release` does."""
        others = [kind for kind in self._loaded if kind not in kinds]
        for kind in others:
            log.info("releasing the model of kind %s", kind)
            del self._loaded[kind]
        return self._freed() if others else 0.0

    def release(self) -> float:
        """Forgets all; returns the megabytes of device memory that this freed, as far as torch knows."""
        self._loaded.clear()
        return self._freed()

    def _freed(self) -> float:
        before = reserved_mb()
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        return max(0.0, before - reserved_mb())


def _load(path: str, device: str, kind: str) -> Any:
    if kind == "lpips":
        from ..metrics import lpips

        return lpips.load_any(Path(path)).to(device)
    if kind == "clip":
        from ..metrics import clip

        return clip.load(Path(path)).to(device)
    from ..guidance import loading

    return loading.load(path, device, kind)


def reserved_mb() -> float:
    """Device memory held by torch's allocator, in megabytes; 0 on a CPU."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0.0
    return float(torch.cuda.memory_reserved()) / 2**20
