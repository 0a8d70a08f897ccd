"""The story of a painting job: look at the object, paint its latents, bake them to colours, hand everything
over.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ...baking import gutter, latent_views, pauses, surface, views
from ...cameras import sampling
from ...cameras.pinhole import Pinhole
from ...geometry import seams
from ...guidance import loading, score_distillation
from ...rasterise import choose
from ...rasterise.base import Rasteriser
from ...rendering import surface_view, textured_mesh
from ...training import backgrounds, loop, seeds, viewpoints
from .. import base
from . import LatentPaintParams, mask, outputs, painting, start
from . import settings as deciding
from . import target as targets

_POOL = 128  # views dealt from
_RADIUS = 0.6  # of the object in the work frame
_FOV = 50.0
_DISTANCE = (1.4, 1.9)  # the object fills 105 to 72 % of the picture
_BAKE_FOV, _BAKE_DISTANCE = 45.0, 1.64  # 95 %
# A snapshot cannot be given up half-way: few views, a coarse test of what they see, no blending of seams.
_QUICK_RINGS: sampling.Rings = ((65.0, 4),)
_QUICK_DEPTH_SIDE = 256
_LOOKING = base.Step(0, 0, "look")


@dataclass(frozen=True)
class Job:
    """Everything decided before the first step."""

    target: targets.Target
    model: loading.TextToImage
    chosen: deciding.Settings
    surface: surface_view.UnwrappedSurface
    rasteriser: Rasteriser
    device: torch.device


def run(ctx: base.RunContext) -> base.Run:
    """See `methods.base`."""
    params: LatentPaintParams = ctx.params
    target = yield from targets.prepare(ctx)
    ctx.timer.stage("load")
    yield base.Step(0, 0, "load")
    model: loading.TextToImage = ctx.model("text_to_image")
    yield base.Step(0, 0, "load")
    chosen = deciding.resolve(params, model.described)
    words = sampling.VIEW_WORDS if params.view_words else ("",) * len(sampling.VIEW_WORDS)
    model.text.remark(params.prompt, words, ctx.warn, params.negative)
    job = Job(
        target,
        model,
        chosen,
        surface_view.UnwrappedSurface.of(target.positions, target.triangles, target.painted_uvs),
        choose.make(params.rasteriser, target.positions, target.triangles, ctx.device),
        torch.device(ctx.device),
    )
    size = chosen.texture_latents * model.factor if chosen.preset == "parity" else target.texture_size
    yield _LOOKING
    texels = surface.texels(target.positions, target.triangles, target.painted_uvs, size)
    if not len(texels.index):
        raise UserError(
            "mesh.no_uv",
            f"The UV map of '{target.mesh.name}' covers no texel of a {size} px texture.",
            hint="Choose a larger texture, or unwrap the mesh anew.",
        )
    yield _LOOKING
    weight = mask.weights(target.mesh_of_faces(), texels, target.mask_picture, params.feather)

    ctx.timer.stage("views")
    yield _LOOKING
    work = yield from _painting(ctx, job, words, weight)
    first = 0
    if ctx.state is not None:
        work.restore(ctx.state)
        first = int(ctx.state.values["step"])

    coarser: dict[int, surface.SurfaceTexels] = {}

    def snapshot(longest: int) -> base.Snapshot:
        side = min(size, 1 << max(6, longest.bit_length() - 1))
        if side not in coarser:
            coarser[side] = surface.texels(target.positions, target.triangles, target.painted_uvs, side)
        coarse = coarser[side]
        baked = views.Accumulator(coarse, 3, 2 * _RADIUS)
        cameras = _cameras(_QUICK_RINGS, chosen.bake_latents)
        for _ in _bake(job, work, baked, cameras, _QUICK_DEPTH_SIDE):
            pass
        picture = latent_views.to_u8(pauses.drained(baked.finish())[0])
        if weight is not None:
            share = mask.shrunk(weight, side)
            picture = mask.composite(picture, mask.at_side(_kept(target, picture), side), share, coarse.used)
        return base.Snapshot(outputs.drawn(target, picture), _with_alpha(picture))

    ctx.timer.stage("paint")
    task = _Resumable(work, targets.saved_atlas(target), first)
    done = yield from loop.optimise(task, first, chosen.steps, "paint", snapshot)

    ctx.timer.stage("bake")
    work.dilate()
    if chosen.preset == "parity":
        with torch.no_grad():
            decoded = model.bridge.to_rgb(work.texture.detach())
        texture, seen = decoded[0].movedim(0, -1).cpu().numpy(), None
    else:
        baked = views.Accumulator(texels, 3, 2 * _RADIUS)
        cameras = _bake_cameras(chosen, chosen.bake_latents)
        for count in _bake(job, work, baked, cameras):
            yield base.Step(count, len(cameras), "bake", state=lambda: task.at(done))
        last = base.Step(len(cameras), len(cameras), "bake", state=lambda: task.at(done))
        texture, seen = yield from base.telling(baked.finish(*_cuts(job)), last)
        if not seen.any():
            raise UserError(
                "mesh.bad",
                f"No view sees any of the painted surface of '{target.mesh.name}'.",
                hint="Remove faces that cover it all, or paint a simpler mesh.",
            )
    picture = latent_views.to_u8(texture)
    if weight is not None:
        picture = mask.composite(picture, _kept(target, picture), weight, texels.used)

    ctx.timer.stage("write")
    writing = base.Step(done, done, "write", state=lambda: task.at(done))
    yield writing
    figures = yield from base.telling(outputs.figures(target, picture, texels, seen, params.prompt), writing)
    figures |= {"steps": done, "guidance_scale": chosen.guidance_scale, "loss": dict(work.losses())}
    if (figures["visible_unseen"] or 0.0) > 0.01:
        ctx.warn(
            "paint.unseen",
            f"{figures['visible_unseen']:.0%} of what one sees of the object was hidden from every view; "
            "it was filled from nearby.",
        )
    items = yield from base.telling(outputs.items(target, picture, texels.used, params.rasteriser), writing)
    return base.Result(
        items,
        figures,
        backends={"rasteriser": job.rasteriser.name, "diffusion": f"torch {model.denoiser.dtype}"[6:]},
        preset=chosen.preset,
        promise="bit-equal" if job.device.type == "cpu" else "no step lost",
    )


class _Resumable:
    """The painting with its atlas and step number in every checkpoint."""

    def __init__(self, work: painting.Painting, atlas: base.State, first: int) -> None:
        self._work = work
        self._atlas = atlas
        self._step = first
        self.losses = work.losses

    def advance(self, step: int) -> None:
        self._work.advance(step)
        self._step = step + 1

    def rewind(self, state: base.State) -> None:
        self._work.rewind(state)
        self._step = int(state.values["step"])

    def state(self) -> base.State:
        return self.at(self._step)

    def at(self, step: int) -> base.State:
        state = self._work.state()
        return base.State(
            {**state.tensors, **self._atlas.tensors}, {**state.values, **self._atlas.values, "step": step}
        )


def _painting(
    ctx: base.RunContext, job: Job, words: tuple[str, ...], weight: NDArray[np.float32] | None
) -> base.Part[painting.Painting]:
    params: LatentPaintParams = ctx.params
    chosen, model, device = job.chosen, job.model, job.device
    side = chosen.texture_latents
    texels = surface.texels(job.surface.positions, job.surface.triangles, job.surface.corner_uvs, side)
    yield _LOOKING
    behind = backgrounds.make(
        chosen.background,
        model.latent_rgb,
        device,
        seeds.torch_generator(ctx.seed, "background", device),
        params.rasteriser,
    )
    negative = model.text.embed(params.negative)
    paintable, spread = None, None
    if weight is not None:
        paintable = torch.from_numpy(mask.shrunk(weight, side)).to(device).reshape(-1)
    if chosen.preset != "parity" and texels.used.any():
        row, column = gutter.nearest(texels.used)
        spread = torch.from_numpy(row * side + column).to(device).reshape(-1)
        if paintable is not None:
            paintable = paintable[spread]
    initial = yield from _initial(ctx, job, texels)
    pool = yield from _views(ctx, job, behind)
    return painting.Painting(
        initial,
        score_distillation.Guidance(model.denoiser, chosen.guidance_scale, chosen.weighting, chosen.form),
        pool,
        [torch.cat([negative, positive]) for positive in model.text.with_words(params.prompt, words)],
        behind,
        chosen,
        seed=ctx.seed,
        spread=spread,
        paintable=paintable,
    )


def _views(
    ctx: base.RunContext, job: Job, behind: backgrounds.Background
) -> base.Part[viewpoints.ViewSource[painting.PaintView]]:
    """The pool of the default presets, or fresh cameras with the released sampling."""
    rng = seeds.generator(ctx.seed, "camera")
    parity = job.chosen.preset == "parity"
    pixels = job.model.sample_size

    def seen(view: sampling.View) -> painting.PaintView:
        surface_seen = surface_view.view(
            job.rasteriser,
            job.surface,
            view.camera,
            job.chosen.texture_latents,
            samples=1 if parity else 2,
            filter="nearest" if parity else "mip",
            border="clamp" if parity else "repeat",
            levels=1 if parity else painting.levels(job.chosen),
            device=job.device,
        )
        return painting.PaintView(surface_seen, view.word, behind.prepare(view.camera))

    if parity:
        return viewpoints.Fresh(lambda random: seen(sampling.paint_cameras(1, random, size=pixels)[0]), rng)
    pool = sampling.stratified_pool(_POOL, rng, size=pixels, fov=_FOV, theta=(10.0, 160.0), radius=_DISTANCE)
    found = []
    for view in pool:
        found.append(seen(view))
        yield base.Step(len(found), _POOL, "views")
    return viewpoints.Pool(found, rng)


def _initial(ctx: base.RunContext, job: Job, texels: surface.SurfaceTexels) -> base.Part[torch.Tensor]:
    """The latent texture before the first step."""
    side = job.chosen.texture_latents
    generator = seeds.torch_generator(ctx.seed, "init", job.device)
    if job.chosen.preset == "parity":
        return start.released(job.model.channels, side, generator, job.device)
    existing = job.target.existing if job.target.existing is not None or not job.target.masked else None
    if existing is None and job.target.masked:
        existing = np.full((64, 64, 3), np.array(_base_colour(job.target)), np.uint8)
    if existing is None:
        return start.plain(job.model, side, generator)
    drawn = textured_mesh.TexturedMesh(
        job.target.positions, job.target.triangles, job.target.painted_uvs, existing
    )
    cameras = _bake_cameras(job.chosen, job.model.sample_size * job.model.factor)
    work = start.of_texture(job.model, drawn, job.rasteriser, texels, cameras, 2 * _RADIUS)
    return (yield from base.telling(work, _LOOKING))


def _bake(
    job: Job,
    work: painting.Painting,
    baked: views.Accumulator,
    cameras: list[Pinhole],
    depth_side: int = latent_views.DEPTH_SIDE,
) -> Generator[int, None, None]:
    with torch.no_grad():
        table = work.table()
    render = latent_views.surface_renderer(
        job.rasteriser, job.surface, table, job.chosen.texture_latents, painting.levels(job.chosen)
    )
    yield from latent_views.bake(baked, render, job.model.bridge, job.rasteriser, cameras, depth_side)


def _cuts(job: Job) -> tuple[NDArray[np.float32], float]:
    """Where the UV map is cut, [E, 2, 3] in the work frame, and how wide a band to even out there."""
    edges = seams.cut_edges(job.target.triangles, job.target.painted_uvs, job.target.positions)
    pixels = job.chosen.bake_latents * job.model.factor
    return job.target.positions[edges.vertices], latent_views.BAND * 2 * _RADIUS / pixels


def _bake_cameras(chosen: deciding.Settings, pixels: int) -> list[Pinhole]:
    return _cameras(sampling.rings(chosen.bake_views), pixels)


def _cameras(rings: sampling.Rings, pixels: int) -> list[Pinhole]:
    found = sampling.bake_views(size=pixels, fov=_BAKE_FOV, radius=_BAKE_DISTANCE, rings=rings)
    return [view.camera for view in found]


def _base_colour(target: targets.Target) -> tuple[int, ...]:
    colour = target.mesh.base_colour or (0.8, 0.8, 0.8)
    return tuple(int(255 * part + 0.5) for part in colour)


def _with_alpha(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if picture.shape[2] == 4:
        return picture
    return np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])


def _kept(target: targets.Target, painted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What lies under the mask: the existing texture, else the material's base colour."""
    if target.existing is not None:
        return target.existing
    return np.full_like(painted, np.array(_base_colour(target), np.uint8))
