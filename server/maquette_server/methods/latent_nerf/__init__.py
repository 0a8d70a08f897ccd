"""Sketch-Shape and Latent-NeRF: a prompt, and a rough sketch if there is one, become an object
(arXiv:2211.07600).

The record and the parameters; the story is in `run`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from .. import base, guided

Vector = tuple[float, float, float]


class LatentNerfParams(guided.GuidedParams):
    """What the artist can set. Lengths are in the field's frame, in which a sketch reaches 0.7 from its
    middle.
    """

    preset: (
        Annotated[
            Literal["draft", "standard", "fine", "parity"],
            Meta(description="How much work to spend; empty takes draft on a CPU, standard on a GPU"),
        ]
        | None
    ) = None
    softness: Annotated[
        float, Meta(ge=0, le=2, description="How far from the sketch's surface the object may go")
    ] = 0.3
    strength: Annotated[
        float, Meta(ge=0, le=100, description="How strongly the object is kept to the sketch")
    ] = 1.0
    refine: Annotated[
        bool, Meta(description="Learn colours at the model's full size after the shape; takes longer")
    ] = False
    refine_steps: (
        Annotated[int, Meta(ge=1, le=100_000, description="Steps of that; empty takes the preset's")] | None
    ) = None
    texture_size: Annotated[int, Meta(ge=64, le=4096, description="Side of the texture in texels")] = 1024
    faces: Annotated[int, Meta(ge=500, le=2_000_000, description="Faces of the mesh, at most")] = 50_000
    up: Vector = (0.0, 1.0, 0.0)
    """unit vector in world coordinates, for an object without a sketch"""
    front: Vector = (0.0, 0.0, 1.0)
    """likewise: where the front of the object looks"""


METHOD = base.Method(
    name="latent_nerf",
    params=LatentNerfParams,
    needs=frozenset(),
    optional=frozenset({"sketch"}),
    gives=frozenset({"scene", "mesh", "uv", "texture", "images", "video", "figures"}),
    models=("text_to_image",),
)
