"""Pictures or a film of a scene, from given cameras or along a path."""

from typing import Annotated, Literal

from msgspec import Meta

from .. import base


class RenderParams(base.Params, frozen=True):
    """What is rendered. Given cameras come as an input and are taken as they are but for `scale`."""

    path: Literal["given", "turntable", "spiral", "train", "val", "test"] = "turntable"
    frames: Annotated[int, Meta(ge=1, le=10_000, description="Pictures of a turntable or spiral")] = 120
    width: Annotated[int, Meta(ge=1, le=16384)] | None = None
    height: Annotated[int, Meta(ge=1, le=16384)] | None = None
    scale: Annotated[float, Meta(gt=0, le=16, description="Factor of both sides")] = 1.0
    elevation: Annotated[float, Meta(ge=-90, le=90, description="Degrees, of a turntable")] = 20.0
    fps: Annotated[float, Meta(ge=0.01, le=240)] = 24.0
    video: bool = False
    depth: bool = False
    transparent: bool = False


METHOD = base.Method(
    name="render",
    params=RenderParams,
    needs=frozenset({"scene"}),
    optional=frozenset({"cameras"}),
    gives=frozenset({"images", "video", "figures"}),
)
