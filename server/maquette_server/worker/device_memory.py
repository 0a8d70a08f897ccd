"""How much of a GPU's memory a worker takes at most: all of it, or what `MAQUETTE_DEVICE_GIB` says, so that
Blender and others find room beside it.
"""

import math
import os

from maquette_wire.errors import UserError

VARIABLE = "MAQUETTE_DEVICE_GIB"


def wished() -> float | None:
    """GiB; None: all there is. Raises UserError `device.unknown` for what is no size."""
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise UserError(
            "device.unknown",
            f"{VARIABLE} is '{text}', which is no size in GiB.",
            hint="Set it to a number such as 12, or unset it.",
        )
    return found


def limit(device: str) -> None:
    """Holds torch to it; what does not fit is then told as memory that has run out."""
    most = wished()
    if most is None or not device.startswith("cuda"):
        return
    import torch

    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, most * 2**30 / total), device)
