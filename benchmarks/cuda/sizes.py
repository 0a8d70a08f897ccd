"""What is run on a GPU, in which sizes; and the same in tiny, to rehearse the script on a CPU.

The real sizes are those of Stable Diffusion 1.5, with random weights: a network costs the same whatever it
has learnt.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from maquette_server.fields import grid, hash_grid, mip
from maquette_server.rendering import cone_render
from maquette_server.training import mip_presets

_VAE_BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}


@dataclass(frozen=True)
class Sizes:
    """What is run: on a device, in which sizes."""

    device: str
    subdivisions: tuple[int, ...]  # of balls: 6 has 81,920 triangles, 2 has 320
    sides: tuple[int, ...]  # pixels of the views of the largest ball
    repeats: int
    steps: int
    unet: dict[str, Any]
    vae: dict[str, Any]
    text: dict[str, Any]
    texture: int  # texels along an edge
    batches: tuple[int, ...]  # pictures in a call of the denoiser
    grid: hash_grid.Settings
    points: int  # encoded at once
    scene_grid: hash_grid.Settings  # of a scene's field
    reduce: int  # a capture's pictures by this; more than 1 takes few of them, too
    learning: tuple[float, ...]  # s of each run on a capture
    mip: mip_presets.Preset
    rays: tuple[int, ...]  # of a step of mip-NeRF

    @property
    def cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.startswith("cuda")


REAL = Sizes(
    device="cuda",
    subdivisions=(2, 4, 6, 7),
    sides=(64, 256, 512, 1024, 2048),
    repeats=30,
    steps=40,
    unet={
        "sample_size": 64,
        "block_out_channels": (320, 640, 1280, 1280),
        "layers_per_block": 2,
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    vae={
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "sample_size": 512,
        **_VAE_BLOCKS,
    },
    text={"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
    texture=2048,
    batches=(1, 2, 4, 8),
    grid=hash_grid.Settings(),
    points=1 << 18,
    scene_grid=grid.Settings().grid,
    reduce=1,
    learning=(60.0, 120.0),
    mip=mip_presets.PAPER,
    rays=(1024, 4096),
)
REHEARSAL = Sizes(
    device="cpu",
    subdivisions=(1, 2),
    sides=(16, 32),
    repeats=2,
    steps=3,
    unet={
        "sample_size": 16,
        "block_out_channels": (32, 32, 32, 32),
        "layers_per_block": 1,
        "cross_attention_dim": 32,
        "attention_head_dim": 8,
    },
    vae={
        "block_out_channels": (32, 32, 32, 32),
        "layers_per_block": 1,
        "sample_size": 128,
        **_VAE_BLOCKS,
    },
    text={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4},
    texture=64,
    batches=(1, 2),
    grid=hash_grid.Settings(levels=4, log2_rows=10, coarsest=4, growth=2.0),
    points=500,
    scene_grid=hash_grid.Settings(levels=3, log2_rows=10, coarsest=4, growth=1.4),
    reduce=10,
    learning=(2.0,),
    mip=dataclasses.replace(
        mip_presets.PAPER,
        network=mip.Settings(degrees=4, depth=3, width=16, skip=1, view_width=8),
        sampling=cone_render.Settings(coarse=8, fine=8),
    ),
    rays=(4, 8),
)
