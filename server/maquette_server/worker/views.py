"""Pictures of what jobs have made, from any camera, drawn between two steps or when the worker is idle."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
from maquette_wire import arrays
from numpy.typing import NDArray

from ..engine import worker_messages as wire
from . import painted_views

Size = tuple[int, int]


class Views:
    """Draws; remembers the last mesh and the last field, for a view is asked for many times a second."""

    def __init__(self) -> None:
        self._painted = painted_views.PaintedViews()
        self._fields: Any = None
        """`field_views.FieldViews`, once one was asked for: it loads torch"""

    def release(self) -> None:
        """Forgets what it remembers."""
        self._painted.release()
        self._fields = None

    def draw(self, request: wire.Draw, device: str, share: float) -> Generator[None, None, Size]:
        """Writes colour (u8 [H, W, 4]), and depth (f4 [H, W]) if asked for, to the request's file.

        Pauses now and then, so that commands can be heard; gives width and height. share: of the time until
        the deadline that may be taken.
        Raises UserError `view.late`, `view.nothing`, `blob.missing`, `blob.bad`, `input.bad`, `texture.bad`,
        `scene.bad`.
        """
        store = Path(request.blob_folder)
        colour: NDArray[np.uint8]
        depth: NDArray[np.float32]
        if isinstance(request.what, wire.Painted):
            colour, depth = self._painted.draw(request.what, request.view, store)
        else:
            if self._fields is None:
                from . import field_views

                self._fields = field_views.FieldViews()
            colour, depth = yield from self._fields.draw(
                request.what, request.view, store, device, request.deadline, share
            )
        with Path(request.out).open("wb") as file:
            file.write(arrays.to_bytes(colour)[2])
            if request.view.depth:
                file.write(arrays.to_bytes(depth)[2])
        return colour.shape[1], colour.shape[0]
