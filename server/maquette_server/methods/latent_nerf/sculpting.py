"""The field of a sculpting job and all that it learns by."""

import numpy as np
import torch
from torch import Tensor

from ...baking import latent_views
from ...cameras import sampling
from ...cameras.lens import Lens
from ...fields import grid, hash_grid
from ...guidance import loading, score_distillation
from ...rendering.occupancy import Occupancy
from ...rendering.posed import CameraRays, Posed
from ...training import backgrounds, distilling, latent_heads, latent_training, seeds, viewpoints
from ...training.sketch_shape import SketchShape
from .. import base
from . import settings as deciding
from .place import Place

_POOL = 128  # views dealt from
_FOV = 50.0  # degrees
_DISTANCE = (1.75, 2.3)  # an object that reaches 0.7 fills 94 to 68 % of the picture
_THETA = (15.0, 120.0)  # degrees from above
NEAR, FAR = 0.05, 10.0  # depths in the field's frame
_CELLS = 64  # of the occupancy along an axis
_BLOB = 5.0  # see `grid.blob`
_REACH = 0.5
_POINTS = 8192  # of the sketch's loss, anywhere in the field
# Vertices of the published grid reach 2,048 along an axis; here the finest level has 64, each with a row of
# its own: on a CPU that is three times as quick, and latents of 16 x 16 pixels say nothing of what is finer.
_GRID = hash_grid.Settings(levels=6, features=2, log2_rows=18, coarsest=16, growth=1.32)
_PUBLISHED = hash_grid.Settings(tiled=True)
_STEP = 0.03
_PUBLISHED_STEP = 2 * 3**0.5 / 1024
_LOOKING = base.Step(0, 0, "look")


class Growing:
    """A field that becomes an object, in one stage or two."""

    def __init__(
        self,
        ctx: base.RunContext,
        place: Place,
        model: loading.TextToImage,
        chosen: deciding.Settings,
        words: tuple[str, ...],
    ) -> None:
        """words: the view words, "" for none."""
        self._ctx, self._words = ctx, words
        self.place, self.model, self.chosen = place, model, chosen
        self.device = torch.device(ctx.device)
        self.field = field_of(chosen, model.channels, place.sketch is not None, ctx.seed).to(self.device)
        self._occupancy = Occupancy(_CELLS, self.device)
        self._refined: latent_heads.Colours | None = None

    @property
    def backend(self) -> str:
        """What computes the field."""
        return "torch and numba" if self.device.type == "cpu" else "torch"

    @property
    def picture_side(self) -> int:
        """Of the latents of the pictures that colour the result: those of a decoded one, or every pixel."""
        side = self.chosen.picture_latents
        return side if self._refined is None else side * self.model.factor

    def decode(self, latents: Tensor, opacities: Tensor) -> Tensor:
        """Colours [1, 3, H, W] of premultiplied latents [1, C, h, w] and opacities [h, w]."""
        whole = latent_views.spread_outwards(latents, opacities)
        with torch.no_grad():
            if self._refined is None:
                return self.model.bridge.to_rgb(whole)
            return self._refined.rgb(whole).clamp(0, 1)

    def latents(self) -> base.Part[latent_training.LatentTask]:
        """The first stage: the model looks at latents."""
        chosen = self.chosen
        schedule = distilling.Schedule(
            chosen.steps, chosen.guidance_scale, chosen.guidance_scale_end, chosen.timesteps, chosen.anneal
        )
        parity = chosen.preset == "parity"
        learning = latent_training.Settings(
            views=chosen.views_per_step,
            table_rate=chosen.learning_rate,
            network_rate=chosen.network_rate,
            background_rate=1e-3 if parity else chosen.learning_rate,
            last_rate=1.0 if parity else 0.1,
            steady=1.0 if parity else 0.5,
            sparsity=chosen.sparsity,
            sparsity_from=0.0 if parity else 0.5,
            sketch=chosen.sketch,
            points=0 if parity else _POINTS,
            step=_PUBLISHED_STEP if parity else _STEP,
        )
        head = latent_heads.Plain(self.model.sample_size)
        return (yield from self._task(head, schedule, learning, "latents"))

    def colours(self) -> base.Part[latent_training.LatentTask]:
        """The second stage: the model looks at pictures, through its encoder."""
        refinement, size = self.chosen.refinement, self.model.sample_size
        schedule = distilling.Schedule(
            self.chosen.refine_steps,
            refinement.guidance_scale,
            refinement.guidance_scale,
            refinement.timesteps,
            "none",
        )
        learning = latent_training.Settings(
            views=1,
            table_rate=refinement.learning_rate,
            network_rate=self.chosen.network_rate,
            background_rate=self.chosen.learning_rate,
            last_rate=0.1,
            steady=0.5,
            sparsity=self.chosen.sparsity,
            sparsity_from=0.0,
            sketch=self.chosen.sketch,
            points=_POINTS,
            step=_STEP / 2,
        )
        self._refined = latent_heads.Colours(
            self.model.bridge,
            self.model.latent_rgb.to(self.device),
            refinement.side or 2 * size,
            size * self.model.factor,
        )
        return (yield from self._task(self._refined, schedule, learning, "colours"))

    def _task(
        self,
        head: latent_training.Head,
        schedule: distilling.Schedule,
        learning: latent_training.Settings,
        stage: str,
    ) -> base.Part[latent_training.LatentTask]:
        ctx, chosen, model, device = self._ctx, self.chosen, self.model, self.device
        seed = seeds.child(ctx.seed, stage)
        behind = backgrounds.make(
            chosen.background,
            model.latent_rgb,
            device,
            seeds.torch_generator(seed, "behind", device),
            "auto",
        )
        negative = model.text.embed(ctx.params.negative)
        words = model.text.with_words(ctx.params.prompt, self._words)
        told = distilling.Distilling(
            score_distillation.Guidance(model.denoiser, schedule.scale, chosen.weighting, chosen.form),
            [torch.cat([negative, positive]) for positive in words],
            schedule,
            seed,
            device,
        )
        views = yield from self._views(behind, head.side, seed)
        sketch = None
        if self.place.sketch is not None:
            sketch = SketchShape(self.place.sketch.volume, ctx.params.softness, device)
        return latent_training.LatentTask(
            self.field,
            self._occupancy,
            self.place.domain,
            told,
            views,
            behind,
            head,
            learning,
            seed,
            sketch,
        )

    def _views(
        self, behind: backgrounds.Background, side: int, seed: int
    ) -> base.Part[viewpoints.ViewSource[latent_training.View]]:
        """The pool of the default presets, or fresh cameras with the released sampling."""
        rng = seeds.generator(seed, "camera")
        place, scale = self.place, self.place.domain.scale

        def seen(view: sampling.View) -> latent_training.View:
            camera = posed(view, place)
            rays = CameraRays([camera], place.domain, NEAR / scale, FAR / scale, self.device).whole(0)
            return latent_training.View(rays, view.word, behind.prepare(view.camera))

        if self.chosen.preset == "parity":
            return viewpoints.Fresh(lambda random: seen(sampling.nerf_cameras(1, random, size=side)[0]), rng)
        pool = sampling.stratified_pool(
            _POOL, rng, size=side, fov=_FOV, theta=_THETA, radius=_DISTANCE, around=sampling.ORIGIN
        )
        yield _LOOKING
        return viewpoints.Pool([seen(view) for view in pool], rng)


def field_of(chosen: deciding.Settings, channels: int, sketched: bool, seed: int) -> grid.GridField:
    """A field that has learnt nothing; without a sketch there is a blob in its middle."""
    parity = chosen.preset == "parity"
    settings = grid.Settings(
        grid=_PUBLISHED if parity else _GRID,
        code=channels,
        smooth=False,
        blob=0.0 if sketched and not parity else _BLOB,
        reach=0.0 if parity else _REACH,
    )
    return grid.GridField(settings, generator=seeds.torch_generator(seed, "field", torch.device("cpu")))


def posed(view: sampling.View, place: Place) -> Posed:
    """A camera of the work frame in the input's."""
    camera = view.camera
    lens = Lens(camera.width, camera.height, camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y)
    return Posed(np.asarray(place.work.undo_pose(camera.world_from_camera)), lens)
