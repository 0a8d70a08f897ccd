"""Latent-Paint: a prompt becomes a texture on a given mesh (arXiv:2211.07600, section 4.3).

The record and the parameters; the story is in `run`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from .. import base, guided


class LatentPaintParams(guided.GuidedParams):
    """What the artist can set. Sizes in texels, angles in degrees."""

    preset: Annotated[
        Literal["draft", "standard", "fine", "parity"], Meta(description="How much work to spend")
    ] = "standard"
    texture_size: Annotated[int, Meta(ge=64, le=4096, description="Side of the texture in texels")] = 1024
    background: Literal["mix", "flat", "learned"] | None = None
    feather: Annotated[int, Meta(ge=0, le=512, description="Texels over which a mask fades inwards")] = 8
    rasteriser: Literal["auto", "embree", "torch", "nvdiffrast"] = "auto"


METHOD = base.Method(
    name="latent_paint",
    params=LatentPaintParams,
    needs=frozenset({"mesh"}),
    optional=frozenset({"texture", "mask"}),
    gives=frozenset({"texture", "uv", "mesh", "images", "figures"}),
    models=("text_to_image",),
)
