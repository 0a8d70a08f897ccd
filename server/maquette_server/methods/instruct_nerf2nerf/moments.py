"""The moments of a run: fields on the way, kept as files of the job, each with a render of one view."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...editing import moments as choosing
from ...media import png
from ...rendering.grid_render import GridScene
from ...scenes import runtime
from .outputs import Moment
from .relearning import Relearner
from .views import Views

_SPACING = 1 / 12  # share of the work from one moment to the next


class Moments:
    """Those of one run, evenly apart; the first is the scene as it was."""

    def __init__(
        self,
        views: Views,
        learner: Relearner,
        original: GridScene,
        view: int,
        keep: Callable[[bytes], Path],
        kept: Callable[[str], Path],
    ) -> None:
        """view: the one that is rendered.  keep, kept: see `RunContext`."""
        self._views, self._learner, self._view = views, learner, view
        self._keep, self._find = keep, kept
        self._before = pixels_of(views.render(original, view))
        self._due = 0.0
        self.kept: list[Moment] = []

    def passed(self, step: int, share: float) -> None:
        """So many steps are over, and so much of the work."""
        if share >= self._due:
            self.take(step, share)

    def take(self, step: int, share: float) -> None:
        """Keeps the field as it is, unless that is done or there is nothing to see."""
        if self.kept and self.kept[-1].step >= step:
            return
        picture = self._picture()
        if not np.isfinite(picture).all():  # it has diverged, and will be taken back
            return
        self.kept.append(
            Moment(
                step,
                self._keep(self._learner.weights()),
                self._keep(png.write(runtime.to_u8(picture))),
                float(np.abs(picture - self._before).mean()),
            )
        )
        left = set(choosing.thinned([one.step for one in self.kept]))
        self.kept = [one for one in self.kept if one.step in left]
        self._due = share + _SPACING

    def preview(self, longest: int) -> NDArray[np.uint8]:
        """The view as it looks now, u8 [h, w, 4]."""
        picture = runtime.to_u8(self._picture())
        step = max(1, -(-max(picture.shape[:2]) // longest))
        picture = np.ascontiguousarray(picture[::step, ::step])
        return np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])

    def _picture(self) -> NDArray[np.float32]:
        return pixels_of(self._views.render(self._learner.scene(), self._view))

    def values(self) -> dict[str, Any]:
        """For a checkpoint."""
        rows = [[one.step, one.weights.name, one.view.name, one.movement] for one in self.kept]
        return {"moments": rows, "moment_due": self._due}

    def restore(self, values: dict[str, Any]) -> None:
        """What `values` gave."""
        rows: Sequence[Any] = values["moments"]
        self.kept = [
            Moment(int(step), self._find(weights), self._find(view), float(movement))
            for step, weights, view, movement in rows
        ]
        self._due = float(values["moment_due"])


def pixels_of(picture: Tensor) -> NDArray[np.float32]:
    """A picture [3, h, w] as numpy has it, [h, w, 3]."""
    found: NDArray[np.float32] = picture.permute(1, 2, 0).cpu().numpy()
    return found
