"""What to train a mip-NeRF with: the paper's own settings, cheaper ones, and those of its ablations
(arXiv:2103.13415, sec. 4 and table 1).
"""

from dataclasses import dataclass, field, replace

from ..fields import mip
from ..rendering import cone_render


@dataclass(frozen=True)
class Schedule:
    """Learning rates: from first to last evenly in their logarithm, softened at the start."""

    first: float = 5e-4
    last: float = 5e-6
    steps: int = 1_000_000
    warm_up: int = 2500  # steps of the softened start; 0 leaves it out
    warm_from: float = 0.01  # factor at step 0

    def __post_init__(self) -> None:
        if min(self.first, self.last) <= 0 or self.steps < 1 or self.warm_up < 0 or self.warm_from < 0:
            raise ValueError(f"learning rates cannot follow this schedule: {self}")


@dataclass(frozen=True)
class Preset:
    """Networks, sampling, loss and schedule."""

    network: mip.Settings = field(default_factory=mip.Settings)
    proposal: mip.Settings | None = None  # of a network with densities alone for the first pass
    two_networks: bool = False  # without a proposal: a network of its own for the first pass
    sampling: cone_render.Settings = field(default_factory=cone_render.Settings)
    coarse_weight: float = 0.1  # of the first pass in the loss; its colours', or its proposal's
    area_loss: bool = True  # False: all rays count alike, however large their pixels
    rays: int = 4096  # a step
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        if self.rays < 1 or self.coarse_weight < 0 or (self.proposal is not None and self.two_networks):
            raise ValueError(f"nothing can be trained with this: {self}")


PAPER = Preset()

# A third of the arithmetic: what the first pass needs to know is less than a colour (mip-NeRF 360,
# arXiv:2111.12077, whose numbers of samples for these scenes are 128 and 32).
FAST = replace(
    PAPER,
    proposal=mip.Settings(depth=4),
    sampling=cone_render.Settings(coarse=128, fine=32),
    coarse_weight=1.0,
    schedule=Schedule(steps=250_000),
)

# What a CPU trains in ten minutes. After 45 s on one core, lego at 100 px has 22.4 dB like this, 21.7 without
# the proposal and with 16 intervals in either pass, 16.8 with 32 in either, 512 rays and a rate of 2e-3; a
# network half as wide loses 0.5 dB, one rate of 8e-3 for all gains 0.4, which leaves less room for bad luck.
SMALL = replace(
    PAPER,
    network=mip.Settings(degrees=10, depth=4, width=128, skip=2, view_width=64),
    proposal=mip.Settings(degrees=10, depth=2, width=32),
    sampling=cone_render.Settings(coarse=24, fine=12),
    coarse_weight=1.0,
    rays=256,
    schedule=Schedule(first=5e-3, last=1e-4, steps=12_000, warm_up=100),
)

PRESETS = {"paper": PAPER, "fast": FAST, "small": SMALL}


@dataclass(frozen=True)
class Ablation:
    """A row of table 1: what is left out, and the mean PSNR in dB over the scenes at full size, 1/2, 1/4 and
    1/8.
    """

    preset: Preset
    psnr: tuple[float, float, float, float]


ABLATIONS = {
    "none": Ablation(PAPER, (32.629, 34.336, 35.471, 35.602)),
    "no_area_loss": Ablation(replace(PAPER, area_loss=False), (33.059, 34.280, 33.866, 30.714)),
    "two_mlps": Ablation(replace(PAPER, two_networks=True), (32.401, 34.131, 35.462, 35.967)),
    "no_ipe": Ablation(
        replace(PAPER, network=mip.Settings(integrate=False)), (29.876, 32.160, 33.679, 29.647)
    ),
}
