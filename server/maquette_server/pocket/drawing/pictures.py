"""Captioned pictures: random views of random things, painted, lit and set before a background."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...cameras import sampling
from ...training import seeds
from . import backdrops, looks, shading, surfaces, words
from .buffers import PICTURE, SIDE, Views
from .looks import Look
from .shapes import FAMILIES

_TOGETHER = 8  # things of about as many pixels, painted at once: little is wasted on filling up
CHUNK = 64  # pictures drawn at once; bounds memory at a few hundred MB


@dataclass(frozen=True)
class Setting:
    """All of a picture that is not the look of the thing."""

    view: int
    light: shading.Light
    backdrop: np.ndarray  # [3] colour
    slope: float  # of the gradient
    clutter: bool  # an invented scene, with other things in it, instead of the plain background
    dice: np.ndarray  # [backdrops.DICE], of the scene
    background: str = ""  # the colour's word, when it has one


@dataclass(frozen=True)
class Captioned:
    """N pictures and what is said of them."""

    pictures: Tensor  # [N, 3, 64, 64] uint8
    captions: list[str]
    looks: list[Look]
    families: list[str]


def setting(rng: np.random.Generator, views: int, clutter: float, named: float) -> Setting:
    """A view, a light and a background; shares of cluttered and of named backgrounds."""
    kind = rng.random()
    background = str(rng.choice(list(words.COLOURS))) if kind < named else ""
    colour = backdrops.named(rng, background) if background else backdrops.plain(rng)
    return Setting(
        view=int(rng.integers(views)),
        light=shading.draw(rng),
        backdrop=colour,
        slope=float(rng.uniform(-0.4, 0.4)) if not background and rng.random() < 0.4 else 0.0,
        clutter=named <= kind < named + clutter,
        dice=rng.random(backdrops.DICE, np.float32),
        background=background,
    )


class Stage:
    """Draws pictures of the views it was given, on one device."""

    def __init__(self, views: Views, device: torch.device | str = "cpu") -> None:
        self.views = views
        self.device = torch.device(device)

    def things(self, settings: list[Setting], shown: list[Look]) -> tuple[Tensor, Tensor]:
        """Colours [N, 3, 64, 64] premultiplied by coverage, and the coverage [N, 1, 64, 64]."""
        chosen = np.array([each.view for each in settings])
        counts = self.views.hits(chosen)
        image = torch.zeros(len(chosen), SIDE * SIDE + 1, 4, device=self.device)
        for kind in sorted({look.kind for look in shown}):
            rows = [int(k) for k in np.argsort(counts, kind="stable") if shown[k].kind == kind]
            for first in range(0, len(rows), _TOGETHER):
                part = rows[first : first + _TOGETHER]
                pixel, colour = self._painted(kind, [settings[k] for k in part], [shown[k] for k in part])
                covered = torch.cat([colour, torch.ones_like(colour[..., :1])], -1)
                image[part] = image[part].scatter(1, pixel[..., None].expand_as(covered), covered)
        small = _image(image[:, :-1])
        return small[:, :3], small[:, 3:]

    def _painted(self, kind: str, settings: list[Setting], shown: list[Look]) -> tuple[Tensor, Tensor]:
        """Pixels [N, M] and colours [N, M, 3] of things of one kind of surface."""
        chosen = np.array([each.view for each in settings])
        place, normal, pixel = self.views.gathered(chosen, self.device)
        axes = self.views.axes[torch.from_numpy(chosen)].to(self.device)
        of = surfaces.surface(
            kind,
            place,
            normal,
            axes[:, 0],
            self._stack([look.first for look in shown]),
            self._stack([look.second for look in shown]),
            self._stack([look.dice for look in shown]),
        )
        colour = shading.lit(
            of,
            normal,
            axes,
            [each.light for each in settings],
            torch.tensor([look.gloss for look in shown], device=self.device),
            torch.tensor([look.metal for look in shown], device=self.device),
        )
        return pixel, colour

    def backgrounds(self, settings: list[Setting], things: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """[N, 3, 64, 64]; cluttered ones are scenes with other pictures' things scattered over them."""
        side = PICTURE
        base = self._stack([each.backdrop for each in settings])
        slope = torch.tensor([each.slope for each in settings], device=self.device)
        result = backdrops.gradients(base, slope, side)
        rows = [k for k, each in enumerate(settings) if each.clutter]
        if rows:
            dice = self._stack([settings[k].dice for k in rows])
            result[rows] = backdrops.scenes(dice, side)
        image = result.transpose(1, 2).reshape(-1, 3, side, side)
        if rows and things is not None:
            image[rows] = _scattered(image[rows], dice, things, rows)
        return image

    def scenes(self, dice: np.ndarray, things: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Invented scenes [N, 3, 64, 64] of dice [N, backdrops.DICE]."""
        cast = torch.from_numpy(dice).to(self.device)
        image = backdrops.scenes(cast, PICTURE).transpose(1, 2).reshape(-1, 3, PICTURE, PICTURE)
        return image if things is None else _scattered(image, cast, things, [-1] * len(dice))

    def captioned(self, count: int, rng: np.random.Generator) -> Captioned:
        """Pictures for text to image."""
        pictures, captions, shown_all, families = [], [], [], []
        for first in range(0, count, CHUNK):
            size = min(CHUNK, count - first)
            settings = [setting(rng, len(self.views), clutter=0.08, named=0.1) for _ in range(size)]
            shown = [looks.draw(rng) for _ in range(size)]
            rgb, alpha = self.things(settings, shown)
            pictures.append(as_bytes(rgb + (1 - alpha) * self.backgrounds(settings, (rgb, alpha))))
            for look, each in zip(shown, settings, strict=True):
                captions.append(_said(rng, self.views, look, each))
                families.append(FAMILIES[int(self.views.family[each.view])].name)
            shown_all += shown
        return Captioned(torch.cat(pictures), captions, shown_all, families)

    def _stack(self, rows: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(rows).astype(np.float32)).to(self.device)


def captioned(
    views: Views, count: int, seed: int, part: int, device: torch.device | str = "cpu"
) -> Captioned:
    """Part number `part` of an endless row of captioned pictures."""
    return Stage(views, device).captioned(count, seeds.generator(seed, f"captioned {part}"))


def sentences(views: Views, count: int, seed: int) -> list[str]:
    """Captions without their pictures, for the tokenizer."""
    rng = seeds.generator(seed, "sentences")
    said = []
    for _ in range(count):
        each = setting(rng, len(views), clutter=0.08, named=0.1)
        said.append(_said(rng, views, looks.draw(rng), each))
    return said


def _said(rng: np.random.Generator, views: Views, look: Look, each: Setting) -> str:
    nouns = FAMILIES[int(views.family[each.view])].nouns
    return looks.caption(rng, look, nouns, sampling.VIEW_WORDS[int(views.word[each.view])], each.background)


def as_bytes(picture: Tensor) -> Tensor:
    """0..1 -> uint8, on the CPU."""
    return (picture.clamp(0, 1) * 255 + 0.5).to(torch.uint8).cpu()


def _image(flat: Tensor) -> Tensor:
    """[N, SIDE^2, C] -> [N, C, 64, 64], averaged."""
    grid = flat.transpose(1, 2).reshape(len(flat), -1, SIDE, SIDE)
    return torch.nn.functional.avg_pool2d(grid, SIDE // PICTURE)


def _scattered(image: Tensor, dice: Tensor, things: tuple[Tensor, Tensor], of: list[int]) -> Tensor:
    """Lays up to three small things over each scene [n, 3, 64, 64], those of other pictures of the chunk.

    `of` has the number of each scene's own thing among them, or -1: a second one like it would leave open
    which of them is spoken of.
    """
    rgb, alpha = things
    before = torch.tensor(of, device=image.device)
    for k in range(3):
        own = dice[:, -4 * (k + 1) : dice.shape[1] - 4 * k]
        which = (own[:, 0] * len(rgb)).long().clamp(max=len(rgb) - 1)
        which = torch.where(which == before, (which + 1) % len(rgb), which)
        present = ((own[:, 0] * 7919) % 1 < 0.6) & (which != before)
        present = present[:, None, None, None]
        scale = 1.6 + 2.2 * own[:, 1]  # how many times smaller than the frame
        x, y = 2.0 * own[:, 2] - 1.0, 2.0 * own[:, 3] - 1.0
        zero = torch.zeros_like(scale)
        matrix = torch.stack([scale, zero, -scale * x, zero, scale, -scale * y], -1).reshape(-1, 2, 3)
        where = torch.nn.functional.affine_grid(matrix, list(rgb[which].shape), align_corners=False)
        small = torch.nn.functional.grid_sample(torch.cat([rgb, alpha], 1)[which], where, align_corners=False)
        small = small * present
        image = image * (1 - small[:, 3:]) + small[:, :3]
    return image
