"""How close a scene's renders come to photographs that it has, or has not, learnt from."""

from typing import Annotated, Literal

from msgspec import Meta

from .. import base


class EvaluateParams(base.Params, frozen=True):
    """Which pictures to compare with."""

    split: Literal["test", "val", "train"] = "test"
    reduce: Annotated[int, Meta(ge=1, le=64, description="Divide the pictures' sides by this")] | None = None
    """None: as they were while the scene learnt"""
    lpips: Literal["auto", "on", "off"] = "auto"
    """auto: where its weights are configured"""
    input_caption: Annotated[
        str, Meta(max_length=2000, description="An edited scene before its edit in words, for CLIP")
    ] = ""
    edited_caption: Annotated[str, Meta(max_length=2000, description="The same after the edit")] = ""
    most: Annotated[int, Meta(ge=1, le=100_000, description="Pictures, evenly spread")] | None = None


METHOD = base.Method(
    name="evaluate",
    params=EvaluateParams,
    needs=frozenset({"scene"}),
    optional=frozenset(),
    gives=frozenset({"images", "figures"}),
    further=("lpips", "clip"),
)
