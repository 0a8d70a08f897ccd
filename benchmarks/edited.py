"""What an edit did to views that it never saw, beside what the two-dimensional editor does to each alone."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from maquette_server import config
from maquette_server.editing import put_back, warp
from maquette_server.editing.working_size import resized, working_size
from maquette_server.guidance import loading
from maquette_server.guidance.instruct_edit import InstructionEditor, Strength
from maquette_server.methods import scene_pictures
from maquette_server.metrics import named_colours, picture_errors, sharpness
from maquette_server.scenes import runtime
from maquette_server.scenes.files import SceneFiles
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]
_SIDE = 256  # pixels, at most, of the pictures that are compared
_TOP = 0.98  # noise from which a view is edited alone


@dataclass(frozen=True)
class Alone:
    """The editor by itself, with the model's own strength."""

    editor: InstructionEditor
    strength: Strength
    long_side: int

    @classmethod
    def of(cls, prompt: str) -> "Alone":
        """With the embedded model."""
        model = loading.load(str(config.POCKET_EDIT), "cpu", "instruct_edit")
        own = model.described.settings["edit"]
        top = round(_TOP * model.denoiser.train_timesteps)
        scales = own["guidance_scale"], own["image_guidance_scale"]
        return cls(InstructionEditor(model, prompt), Strength(*scales, top, own["steps"]), own["size"])

    def edit(self, picture: Floats, seed: int) -> tuple[Floats, Floats]:
        """A picture [h, w, 3] as edited: the model's own pixels at this size, and put back into it."""
        whole = _tensor(picture)
        stride = self.editor.model.described.stride
        size = working_size(picture.shape[1], picture.shape[0], self.long_side, stride)
        small = resized(whole, *size)[None]
        work = self.editor.edit(
            small, self.editor.condition(small), self.strength, [torch.Generator().manual_seed(seed)]
        )
        while True:
            try:
                next(work)
            except StopIteration as end:
                edited = end.value[0]
                break
        put = put_back.put_back(whole, edited, self.editor.round_trip(small)[0])
        return _array(resized(edited, picture.shape[1], picture.shape[0])), _array(put.colours)

    def round_trip(self, picture: Floats) -> Floats:
        """The same through the autoencoder alone, at the size at which it is edited."""
        whole = _tensor(picture)
        stride = self.editor.model.described.stride
        size = working_size(picture.shape[1], picture.shape[0], self.long_side, stride)
        made = self.editor.round_trip(resized(whole, *size)[None])[0]
        return _array(resized(made, picture.shape[1], picture.shape[0]))


@dataclass(frozen=True)
class View:
    """One held-out view."""

    moved: float  # dE of the object's mean towards the colour
    alone: float  # the same of the editor by itself
    outside: float  # dB of what is not edited, beside the un-edited scene
    round_trip: float  # dB that the autoencoder alone would leave of it
    sharpness: float  # of the object, beside that of the view edited alone

    @property
    def obeyed(self) -> bool:
        """Whether it moved far enough: by 15, and by 60 % of what the editor does to the view alone."""
        return self.moved >= 15 and self.moved >= 0.6 * self.alone


@dataclass(frozen=True)
class Measured:
    """All views of an edit, and how well neighbours agree."""

    views: list[View]
    warp_error: float
    warp_error_before: float


def measure(before: Path, after: Path, alone: Alone, colour: str, most: int) -> Measured:
    """Compares two scene folders at up to `most` of the held-out cameras."""
    files = SceneFiles.of_folder(before)
    first, second = runtime.open_scene(files), runtime.open_scene(SceneFiles.of_folder(after))
    held = [one for one in first.cameras if one.split == "test" and one.image]
    held = [
        held[k] for k in np.unique(np.linspace(0, len(held) - 1, min(most, len(held))).round().astype(int))
    ]
    views: list[View] = []
    shapes: list[warp.View] = []
    pictures: dict[str, list[Floats]] = {"before": [], "after": []}
    for number, record in enumerate(held):
        photograph = scene_pictures.load(files, record, first.record.reduce)
        lens = photograph.camera.lens
        size = working_size(lens.width, lens.height, min(_SIDE, max(lens.width, lens.height)), 1)
        camera = replace(photograph.camera, lens=lens.resized(*size))
        frames = [scene.render(camera) for scene in (first, second)]
        was, now = (one.opaque(first.record.background) for one in frames)
        shapes.append(warp.View(camera, frames[0].depths))
        pictures["before"].append(was)
        pictures["after"].append(now)
        truth = _array(resized(_tensor(photograph.over(first.record.background) / 255), *size))
        thing = frames[0].opacities > 0.5
        model, put = alone.edit(truth, number)
        left = ~(put_back.change(now, was) > 0.5)
        views.append(
            View(
                named_colours.moved_towards(was[thing], now[thing], colour),
                named_colours.moved_towards(truth[thing], model[thing], colour),
                _psnr(was, now, left),
                _psnr(was, alone.round_trip(was), left),
                (sharpness.mean_gradient(now, thing) or 0.0) / (sharpness.mean_gradient(put, thing) or 1.0),
            )
        )
    errors = {name: warp.error(shapes, found) for name, found in pictures.items()}
    return Measured(views, errors["after"], errors["before"])


def _psnr(first: Floats, second: Floats, where: NDArray[np.bool_]) -> float:
    pair = (each[where][None].astype(np.float64) for each in (first, second))
    return min(100.0, picture_errors.psnr(*pair))


def _tensor(picture: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).float().permute(2, 0, 1)


def _array(picture: Tensor) -> Floats:
    found: Floats = picture.permute(1, 2, 0).numpy()
    return found
