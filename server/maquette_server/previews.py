"""Previews for one follower: as small and as rare as it asked for."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_PX = 1448  # 1448 x 1448 x 4 bytes is the largest square that fits one frame


class Limiter:
    """When the last preview of each job was sent to a follower."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def may_send(self, job_id: str, min_ms: int, now: float | None = None) -> bool:
        """Whether enough time has passed; counts as sent then. `now` in monotonic seconds."""
        at = time.monotonic() if now is None else now
        if at - self._last.get(job_id, -1e9) < 0.8 * min_ms / 1000:  # the worker's clock spaces them already
            return False
        self._last[job_id] = at
        return True


def scaled(picture: NDArray[Any], max_px: int) -> NDArray[np.uint8]:
    """The picture u8 [H, W, 4] with its long side at most `max_px`, by the mean of whole blocks of pixels."""
    height, width, channels = picture.shape
    block = -(-max(height, width) // min(max_px, MAX_PX))
    if block <= 1:
        return picture
    padded = np.pad(picture, ((0, -height % block), (0, -width % block), (0, 0)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // block, block, padded.shape[1] // block, block, channels)
    return blocks.mean(axis=(1, 3)).round().astype(np.uint8)
