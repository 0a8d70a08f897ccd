"""The views of a scene while they are edited: what the model sees of each, and what each has become."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...editing import put_back, warp
from ...editing.working_size import resized, working_size
from ...guidance.instruct_edit import InstructionEditor
from ...rendering.grid_render import GridScene
from ...rendering.posed import Posed
from ...scenes import runtime
from ...training.pixels import Picture
from .. import scene_pictures
from .source import Source

_LEAST_ALPHA = 0.05  # of a pixel that has a colour of its own
# A view that leaves a point alone is doubted where so large a share of the others changed it: editors miss
# things rather than change what was not meant.
_VOTES, _LEFT_ALONE = 0.25, 0.5
_TELLING = 12  # of 255 levels: a pixel that differs by more is an edited one


@dataclass(frozen=True)
class Doubted:
    """Where a view left alone what others changed, and what those show there."""

    colours: NDArray[np.float32]  # [h, w, 3]
    where: NDArray[np.bool_]  # [h, w]


class Views:
    """V views. Small pictures [3, h, w] are opaque and have the size at which they are edited. What is kept
    of every view is in the host's memory, as there may be hundreds of them.
    """

    def __init__(
        self, source: Source, editor: InstructionEditor, long_side: int, *, keep: bool, matt: bool
    ) -> None:
        """keep: whether what an edit leaves alone stays as it was.  matt: whether edited colours are meant to
        be seen from every side.
        """
        self._source, self._editor, self._keep, self._matt = source, editor, keep, matt
        stride = editor.model.described.stride
        self.cameras = [_small(one.camera, long_side, stride) for one in source.photographs]
        self._small: dict[int, Tensor] = {}
        self._seen: dict[int, tuple[Tensor, Tensor]] = {}
        self._shapes: dict[int, warp.View] = {}
        self.edited: dict[int, NDArray[np.uint8]] = {}
        """what a view has become, u8 [H, W, 3 or 4]"""
        self._doubted: dict[int, Doubted] = {}
        self._sources: list[tuple[warp.View, NDArray[np.float32]]] = []

    def __len__(self) -> int:
        return len(self.cameras)

    @property
    def with_depth(self) -> int:
        """How many have depths that came with their pictures."""
        return sum(one.depth is not None for one in self._source.records)

    def original(self, view: int) -> Tensor:
        """The un-edited picture, [3, H, W]."""
        return self._there(_tensor(self._source.photographs[view].over(self._source.background)))

    def small(self, view: int) -> Tensor:
        """The un-edited picture at the size at which it is edited."""
        if view not in self._small:
            lens = self.cameras[view].lens
            self._small[view] = resized(self.original(view), lens.width, lens.height).cpu()
        return self._there(self._small[view])

    def seen(self, view: int) -> tuple[Tensor, Tensor]:
        """What the model knows of the un-edited picture: its condition [C, h, w], and its round trip."""
        if view not in self._seen:
            picture = self.small(view)[None]
            found = self._editor.condition(picture)[0], self._editor.round_trip(picture)[0]
            self._seen[view] = found[0].cpu(), found[1].cpu()
        condition, round_trip = self._seen[view]
        return self._there(condition), self._there(round_trip)

    def _there(self, values: Tensor) -> Tensor:
        return values.to(self._editor.model.device)

    def render(self, field: GridScene, view: int) -> Tensor:
        """How a field looks from the view, over the background."""
        record = self._source.scene.record
        frame = runtime.look(_quick(field), self.cameras[view], record.near, record.far)
        colours = torch.from_numpy(frame.opaque(record.background))
        return colours.permute(2, 0, 1).to(self._editor.model.device).clamp(0, 1)

    def take(self, view: int, edited: Tensor) -> None:
        """An edit [3, h, w] becomes the view's picture."""
        _, round_trip = self.seen(view)
        found = put_back.put_back(self.original(view), edited, round_trip, everywhere=not self._keep)
        self.put(view, self._with_alpha(view, found.colours))

    def put(self, view: int, pixels: NDArray[np.uint8]) -> None:
        """A picture that an edit has made before."""
        self.edited[view] = pixels

    def _with_alpha(self, view: int, colours: Tensor) -> NDArray[np.uint8]:
        """Opaque colours [3, H, W] as a picture that is as transparent as the original."""
        values = colours.permute(1, 2, 0).float().cpu().numpy()
        original = self._source.photographs[view].pixels
        if original.shape[2] == 3:
            return runtime.to_u8(values)
        alpha = original[..., 3:].astype(np.float32) / 255
        behind = runtime.behind(self._source.background)
        straight = (values - (1 - alpha) * behind) / np.maximum(alpha, _LEAST_ALPHA)
        straight = np.where(alpha < _LEAST_ALPHA, original[..., :3] / 255, straight)
        return np.dstack([runtime.to_u8(straight), original[..., 3]])

    def picture(self, view: int) -> Picture:
        """What the field learns of an edited view: not what other views doubt."""
        one = self._source.photographs[view]
        known = one.known
        if view in self._doubted:
            height, width = one.pixels.shape[:2]
            doubted = torch.from_numpy(self._doubted[view].where[None].astype(np.float32))
            sure = resized(doubted, width, height)[0].numpy() < 0.5
            known = sure if known is None else known & sure
        pixels = self.edited[view]
        return Picture(one.camera, pixels, known, matt=self._where_matt(view, pixels))

    def _where_matt(self, view: int, pixels: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
        """Where a picture of the view is edited, [H, W]: editors see each view by itself, so what they make
        of a thing from here and from there differs by their whims rather than as light would have it.
        """
        if not self._matt:
            return None
        was = self._source.photographs[view].pixels
        return np.abs(pixels[..., :3].astype(np.int16) - was[..., :3]).max(-1) > _TELLING

    # ---- views that disagree -------------------------------------------------------------------------------

    def compare(self, field: GridScene) -> Generator[None, None, None]:
        """Finds where edited views left alone what others changed; pauses.

        field: whose depths say where points lie, where none came with a picture; the un-edited one.
        """
        told = {}
        for view in sorted(self.edited):
            colours = self.colours(view)
            share = put_back.change(colours, _array(self.small(view)))
            told[view] = np.dstack([colours * share[..., None], share])
            self._shape(field, view)
            yield
        self._doubted = {}
        for view in told:
            others = [(self._shapes[other], values) for other, values in told.items() if other != view]
            if not others:
                continue
            shown = warp.warped(self._shapes[view], others)
            votes = shown.values[..., 3]
            where = shown.known & (votes > _VOTES) & (told[view][..., 3] < _LEFT_ALONE)
            if where.any():
                meant = shown.values[..., :3] / np.maximum(votes, np.float32(1e-6))[..., None]
                self._doubted[view] = Doubted(meant.astype(np.float32), where)
            yield

    def start(self, field: GridScene, view: int) -> Tensor:
        """What an edit of the view starts from: how the field looks, or what others show where they doubt."""
        render = self.render(field, view)
        doubted = self._doubted.get(view)
        if doubted is None:
            return render
        colours = torch.from_numpy(doubted.colours).permute(2, 0, 1).to(render)
        return torch.where(torch.from_numpy(doubted.where).to(render.device), colours.clamp(0, 1), render)

    # ---- views that follow ---------------------------------------------------------------------------------

    def see(self, field: GridScene, views: Sequence[int]) -> Generator[None, None, None]:
        """Looks at the shape of views, and at what the edited ones show by now; pauses.

        field: whose depths say where points lie, where none came with a picture; the un-edited one.
        """
        for view in views:
            self._shape(field, view)
            yield
        edited = sorted(self.edited)
        self._sources = [(self._shapes[view], self.colours(view)) for view in edited]

    def followed(self, view: int) -> Picture:
        """What the field learns of a view that nobody has edited, after `see`: colours of the edited ones,
        where those show the same points; the rest is left out.
        """
        shown = warp.warped(self._shapes[view], self._sources)
        small = self.small(view)
        known = torch.from_numpy(shown.known).to(small.device)
        colours = torch.from_numpy(shown.values).permute(2, 0, 1).to(small)
        there = torch.where(known, colours, small)
        found = put_back.put_back(self.original(view), there, small, everywhere=not self._keep)
        one = self._source.photographs[view]
        height, width = one.pixels.shape[:2]
        seen = resized(known[None].to(small), width, height)[0].cpu().numpy() > 0.99
        empty = np.isinf(self._shapes[view].depths)
        nothing = resized(torch.from_numpy(empty[None].astype(np.float32)), width, height)[0].numpy() > 0.99
        kept = seen | nothing
        if one.known is not None:
            kept &= one.known
        pixels = self._with_alpha(view, found.colours)
        return Picture(one.camera, pixels, kept, matt=self._where_matt(view, pixels))

    def colours(self, view: int) -> NDArray[np.float32]:
        """The picture as it is by now, at the size at which it is edited, [h, w, 3]."""
        if view not in self.edited:
            return _array(self.small(view))
        one = replace(self._source.photographs[view], pixels=self.edited[view])
        lens = self.cameras[view].lens
        small = resized(_tensor(one.over(self._source.background)), lens.width, lens.height)
        return small.permute(1, 2, 0).numpy()

    def _shape(self, field: GridScene, view: int) -> warp.View:
        if view not in self._shapes:
            self._shapes[view] = warp.View(self.cameras[view], self._depths(field, view))
        return self._shapes[view]

    def _depths(self, field: GridScene, view: int) -> NDArray[np.float32]:
        """Those that came with the picture, which are exact where Blender rendered them; else the field's."""
        source, camera = self._source, self.cameras[view]
        lens, record = camera.lens, source.scene.record
        own = source.records[view]
        came = scene_pictures.depths(source.files, own, record.reduce, lens.width, lens.height)
        if came is not None and came.all():
            return came
        found = runtime.look(_quick(field), camera, record.near, record.far).depths
        return found if came is None else np.where(came == 0, found, came)


def _quick(field: GridScene) -> GridScene:
    """The field seen with one ray a pixel."""
    return replace(field, most=1)


def _small(camera: Posed, long_side: int, stride: int) -> Posed:
    lens = camera.lens
    return replace(camera, lens=lens.resized(*working_size(lens.width, lens.height, long_side, stride)))


def _array(picture: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = picture.permute(1, 2, 0).cpu().numpy()
    return found


def _tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
