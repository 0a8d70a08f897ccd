"""What an answer of the server means for who asked."""

from typing import Any

from numpy.typing import NDArray

from . import arrays, happenings, messages
from .codec import Part
from .errors import UserError


def of(asked: messages.Message, answer: messages.Message, frames: list[Part]) -> happenings.Happening:
    """The happening, a RequestFailed when the answer does not fit. Raises UserError for a bad picture."""
    name = answer.request_id
    if isinstance(answer, messages.Accepted):
        if not isinstance(asked, messages.Submit):
            return happenings.Done(name, answer.job)
        if answer.job:
            return happenings.SubmitAccepted(name, answer.job)
    elif isinstance(answer, messages.Released):
        return happenings.Done(name, freed_mb=answer.freed_mb)
    elif isinstance(answer, messages.Jobs):
        return happenings.JobsListed(name, answer.jobs)
    elif isinstance(answer, messages.Models):
        return happenings.ModelsListed(name, answer.models)
    elif isinstance(answer, messages.Scenes):
        return happenings.ScenesListed(name, answer.scenes)
    elif isinstance(answer, messages.Frame):
        colour = picture(answer.colour, frames)
        depth = picture(answer.depth, frames) if answer.depth else None
        return happenings.FrameArrived(name, answer.view_id, colour, depth, answer.event)
    sentence = f"The server answered {type(asked).__name__} with {type(answer).__name__}."
    return happenings.RequestFailed(name, messages.Fault(code="protocol.bad", sentence=sentence))


def picture(array: arrays.FrameArray, frames: list[Part]) -> NDArray[Any]:
    """The array that a message keeps in one of its frames, read-only. Raises UserError if it is not there."""
    if array.frame >= len(frames):
        raise UserError("protocol.bad", "A message lacks the picture it announces.")
    return arrays.from_bytes(array.dtype, array.shape, bytes(frames[array.frame]))
