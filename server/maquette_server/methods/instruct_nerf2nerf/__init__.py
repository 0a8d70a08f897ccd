"""Instruct-NeRF2NeRF: a reconstructed scene changed by an instruction (arXiv:2303.12789)."""

from typing import Annotated, Literal

from maquette_wire.errors import UserError
from msgspec import Meta

from .. import base


class EditParams(base.Params, frozen=True):
    """What can be chosen. None takes the model's own default, or what the device allows.

    `steps` counts the field's steps from 0; `steps` and `seconds` exclude each other.
    """

    prompt: Annotated[str, Meta(max_length=2000, description="What is to be done: make it blue")]
    preset: Annotated[
        Literal["joint", "classic"], Meta(description="Views edited together, or one by one as published")
    ] = "joint"
    tier: Annotated[Literal["full", "small", "tiny"], Meta(description="How much memory is used")] | None = (
        None
    )
    steps: Annotated[int, Meta(ge=1, le=1_000_000, description="Steps of the field")] | None = None
    seconds: (
        Annotated[float, Meta(ge=1, le=7 * 86400, description="Seconds of editing and learning")] | None
    ) = None
    guidance_scale: (
        Annotated[float, Meta(ge=0, le=100, description="How closely the instruction is followed")] | None
    ) = None
    image_guidance_scale: (
        Annotated[float, Meta(ge=0, le=100, description="How much stays as it is in the pictures")] | None
    ) = None
    calls: (
        Annotated[int, Meta(ge=1, le=1000, description="Denoising steps from the highest noise")] | None
    ) = None
    size: (
        Annotated[int, Meta(ge=8, le=4096, description="Long side of pictures while they are edited")] | None
    ) = None
    views: (
        Annotated[int, Meta(ge=1, le=100_000, description="Views that are edited; the others follow")] | None
    ) = None
    together: Annotated[bool, Meta(description="Views of a batch look at one of them")] = True
    follow: Annotated[bool, Meta(description="Views that are not edited take over what others show")] = True
    agree: Annotated[bool, Meta(description="Views are doubted that leave alone what others change")] = True
    anneal: Annotated[bool, Meta(description="Noise falls from pass to pass")] = True
    keep: Annotated[bool, Meta(description="What the edit leaves alone stays as it was")] | None = None
    """None: in `joint`, and not in `classic`"""
    matt: Annotated[bool, Meta(description="What was edited has the same colours from every side")] | None = (
        None
    )
    """None: in `joint`, and not in `classic`"""
    lpips: Annotated[Literal["auto", "on", "off"], Meta(description="Learn by LPIPS as well")] = "auto"
    input_caption: Annotated[
        str, Meta(max_length=2000, description="The scene before the edit in words, for what CLIP measures")
    ] = ""
    edited_caption: Annotated[str, Meta(max_length=2000, description="The same after the edit")] = ""
    trial: Annotated[bool, Meta(description="Only try a few views and strengths")] = False

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise UserError(
                "prompt.empty", "The instruction is empty.", hint="Say what is to be done: make it blue."
            )
        if self.steps is not None and self.seconds is not None:
            raise UserError(
                "params.bad", "Steps and seconds were both given.", hint="Give one of them, or neither."
            )


METHOD = base.Method(
    name="instruct_nerf2nerf",
    params=EditParams,
    needs=frozenset({"scene"}),
    optional=frozenset(),
    gives=frozenset({"scene", "images", "figures"}),
    models=("instruct_edit",),
    further=("lpips", "clip"),
)
