"""Depths that come with the pictures of a capture, as files of the scene that is learnt from it."""

from collections.abc import Generator
from dataclasses import replace

import numpy as np
from maquette_wire import arrays, messages
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ..datasets import depths
from ..datasets.base import DataSet, Frame
from ..media import exr
from . import base

_AGAIN = "Send depths along the viewing axis, infinite where nothing is, or leave them out."


def kept(ctx: base.RunContext, dataset: DataSet) -> Generator[None, None, DataSet]:
    """The data set with a float EXR for each depth that was given; pauses. Raises UserError `input.bad`."""
    given: messages.DepthsInput | None = ctx.inputs.get("depths")
    if given is None:
        return dataset
    if len(given.depths) != len(dataset.frames):
        raise UserError(
            "input.bad",
            f"{len(dataset.frames)} cameras came with {len(given.depths)} depths.",
            hint="Send one for each; it may be none.",
        )
    assert ctx.keep is not None
    frames = []
    for frame, reference in zip(dataset.frames, given.depths, strict=True):
        if reference is not None:
            yield
            frame = replace(frame, depth=ctx.keep(exr.write(_read(ctx, frame, reference))))
        frames.append(frame)
    return replace(dataset, frames=tuple(frames))


def _read(ctx: base.RunContext, frame: Frame, reference: arrays.ArrayRef) -> NDArray[np.float32]:
    rows, columns = reference.shape if len(reference.shape) == 2 else (0, 0)
    if reference.dtype != "f4" or not 0 < rows * columns <= exr.MAX_PIXELS:
        shape = " x ".join(map(str, reference.shape))
        raise _bad(frame, f"is {reference.dtype} [{shape}], not f4 [H, W]")
    if what := depths.shape_fault(reference.shape, frame.lens):
        raise _bad(frame, what)
    found: NDArray[np.float32] = ctx.array(reference)
    if what := depths.fault(found, frame.lens):
        raise _bad(frame, what)
    return found


def _bad(frame: Frame, what: str) -> UserError:
    return UserError("input.bad", f"The depth of '{frame.name}' {what}.", hint=_AGAIN)
