"""Pictures of a field of latents: what the model's decoder makes of views, or the refined colours."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...cameras import sampling
from ...cameras.pinhole import Pinhole
from ...fields import grid
from ...rendering import packed
from ...rendering.occupied import OccupiedSampler
from ...rendering.posed import CameraRays, Posed
from .place import Place
from .sculpting import FAR, NEAR, posed

FOV, DISTANCE = 50.0, 1.85  # an object that reaches 0.7 fills 88 % of the picture
_AT_ONCE = 8192  # rays


@dataclass(frozen=True)
class Picture:
    """One view."""

    work: Pinhole  # of the picture, in the work frame
    world: Posed  # the same camera in the input's frame
    colours: NDArray[np.float32]  # [H, W, 3], 0..1; behind the object its border goes on
    seen: NDArray[np.float32]  # [H, W], 0..1


class Camera:
    """Looks at a field of latents."""

    def __init__(self, field: grid.GridField, sampler: OccupiedSampler, place: Place) -> None:
        self._field, self._sampler, self._place = field, sampler, place

    @torch.no_grad()
    def latents(self, view: sampling.View) -> tuple[Tensor, Tensor]:
        """Premultiplied latents [1, C, h, w] and opacities [h, w] of a view of the work frame."""
        scale = self._place.domain.scale
        camera, device = posed(view, self._place), self._field.grid.table.device
        rays = CameraRays([camera], self._place.domain, NEAR / scale, FAR / scale, device).whole(0)
        seen, filled = [], []
        for some in rays.chunks(_AT_ONCE):
            samples = self._sampler.samples(some)
            code = self._field.code(samples.points, samples.spreads)
            nothing = code.new_zeros(len(some), code.shape[1] - 1)
            latents, opacities, _ = packed.composite(
                grid.density(code), code[:, 1:].contiguous(), samples.lengths, samples.offsets, nothing
            )
            seen.append(latents)
            filled.append(opacities)
        height, width = view.camera.height, view.camera.width
        shown = torch.cat(seen).view(1, height, width, -1).movedim(-1, 1)
        return shown, torch.cat(filled).view(height, width)


def views(count: int, side: int) -> list[sampling.View]:
    """About `count` views from all round, 11 at least, `side` pixels square."""
    rings = sampling.rings(count)
    return sampling.bake_views(size=side, fov=FOV, radius=DISTANCE, rings=rings, around=sampling.ORIGIN)


def behind(view: sampling.View) -> sampling.View:
    """The same view from the other side."""
    side = view.camera.width
    return sampling.place(
        view.theta, view.phi + 180.0, view.radius, size=side, fov=FOV, target=sampling.ORIGIN
    )


def picture(
    camera: Camera, view: sampling.View, place: Place, decode: Callable[[Tensor, Tensor], Tensor]
) -> Picture:
    """A view decoded. `view` has as many pixels as the latents that are decoded."""
    latents, opacities = camera.latents(view)
    colours = decode(latents, opacities)[0].movedim(0, -1).float().cpu().numpy()
    work = view.camera.resized(colours.shape[1], colours.shape[0])
    whole = sampling.View(work, view.theta, view.phi, view.radius, view.word)
    if colours.shape[:2] != opacities.shape:
        _, opacities = camera.latents(whole)
    return Picture(work, posed(whole, place), colours, opacities.cpu().numpy())
