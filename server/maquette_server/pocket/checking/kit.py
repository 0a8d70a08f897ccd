"""What the parts of the check share: weights under test, the judge, renders of an own seed."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..drawing.buffers import Views
from ..drawing.pictures import Stage
from . import judge, prompts, views
from .judge import Judge
from .sampling import Editor, Painter

SEED = 2002  # of the renders on which judges are measured; the judge of materials learnt from another
_VIEWS_A_FAMILY = 12


@dataclass(frozen=True)
class Kit:
    """Folders; what is in them is loaded when first asked for."""

    model: Path
    editor: Path
    judge_folder: Path
    photographs: Path | None = None
    noise: int = 0  # added to every seed of noise

    @cached_property
    def painter(self) -> Painter:
        """Text to image."""
        return Painter(self.model)

    @cached_property
    def editing(self) -> Editor:
        """Instructions."""
        return Editor(self.editor)

    @property
    def edit_size(self) -> int:
        """Pixels a side at which the editor's folder wants photographs."""
        return int(self.editing.settings["size"])

    @cached_property
    def judge(self) -> Judge:
        """Of materials."""
        return judge.load(self.judge_folder)

    @cached_property
    def nouns(self) -> Views:
        """True views of the list's nouns, a fifth of them close-ups."""
        return views.cast(prompts.families() * _VIEWS_A_FAMILY, SEED, close=True)

    @cached_property
    def scenes(self) -> Views:
        """One view for each scene to be edited."""
        return views.cast([scene.family for scene in prompts.scenes()], SEED + 1)

    @cached_property
    def stage(self) -> Stage:
        """Draws on `nouns`."""
        return Stage(self.nouns)
