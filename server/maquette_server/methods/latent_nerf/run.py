"""The story of a sculpting job: find the place, grow the object in latents, refine its colours if that is
wanted, give the field colours, cut out its surface, hand everything over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ...baking import latent_views
from ...baking import surface as texels
from ...baking import views as baking
from ...cameras import sampling
from ...geometry import check, seams, sketch_volume, unwrap
from ...geometry.mesh import Mesh
from ...guidance import loading
from ...meshing import shape, smoothing
from ...rasterise import choose
from ...rendering.grid_render import GridScene
from ...rendering.occupied import OccupiedSampler
from ...rendering.posed import CameraRays
from ...scenes import runtime
from ...training import colour_fitting, latent_training, loop, seeds, sketch_shape
from .. import base
from . import LatentNerfParams, decoding, outputs, sculpting
from . import place as places
from . import settings as deciding

# A point counts as inside where 0.2 of it, in the field's frame, stops half of the light: as the sketch's
# loss sees it, for the mesh and for every figure.
_DENSITY = float(np.log(2) / sketch_shape.REACH)
_CELLS = sketch_volume.SIDE  # along an axis, of the figures
_SURFACE_CELLS = 96  # likewise, of the surface
_ANY_FACES = 1 << 30
_BLUR = 0.7  # of its volume, in cells of it: what thin fingers bear
_SKETCHLESS_BLUR = 1.5  # where nothing but the prompt says how far the object goes, and it is rougher
_STEP = 0.015  # between samples of pictures
_LOOKS = 4  # at the field before its pictures are taken, so that no thin part is passed over
_FIT_STEPS = 100
_GUTTER = 2  # texels between charts
_QUICK_VIEWS, _QUICK_FIT, _QUICK_FACES = 12, 40, 4000  # of a job that was stopped
_ALIKE = 0.85  # of front and back, from which it looks like one face on both
_EMPTY, _FULL = 0.002, 0.6  # shares of the cube
_FILLED = 0.5  # of a sketch
_SHOWN = 192  # pixels of a preview's render
_LOADING = base.Step(0, 0, "load")


@dataclass(frozen=True)
class Tail:
    """How much is done with a field that has grown."""

    views: int
    fit_steps: int
    faces: int


def run(ctx: base.RunContext) -> base.Run:
    """See `methods.base`."""
    params: LatentNerfParams = ctx.params
    ctx.timer.stage("load")
    yield _LOADING
    place = yield from places.find(ctx)
    model: loading.TextToImage = ctx.model("text_to_image")
    yield _LOADING
    chosen = deciding.resolve(params, model.described, torch.device(ctx.device).type)
    words = sampling.VIEW_WORDS if params.view_words else ("",) * len(sampling.VIEW_WORDS)
    model.text.remark(params.prompt, words, ctx.warn, params.negative)
    growing = sculpting.Growing(ctx, place, model, chosen, words)
    random = seeds.torch_generator(ctx.seed, "colours", growing.device)
    colour_fitting.begin(growing.field, model.latent_rgb, random)

    resumed = "" if ctx.state is None else str(ctx.state.values["stage"])
    work = None
    stopped = False
    if resumed != "refine":
        ctx.timer.stage("sculpt")
        task = yield from growing.latents()
        work = _Resumable(task, "sculpt")
        if ctx.state is not None:
            work.restore(ctx.state)
        draw = _drawing(ctx, growing, work)
        yield from loop.optimise(work, work.step, chosen.steps, "sculpt", draw)
        stopped = work.step < chosen.steps
    if params.refine and stopped:
        ctx.warn("sculpt.unrefined", "The shape was stopped before it was done, so colours were not refined.")
    if params.refine and not stopped:
        ctx.timer.stage("refine")
        task = yield from growing.colours()
        work = _Resumable(task, "refine")
        if resumed == "refine" and ctx.state is not None:
            work.restore(ctx.state)
        draw = _drawing(ctx, growing, work)
        yield from loop.optimise(work, work.step, chosen.refine_steps, "refine", draw)
        stopped = work.step < chosen.refine_steps
        if stopped:
            share = work.step / chosen.refine_steps
            ctx.warn("sculpt.unrefined", f"Colours were refined by {share:.0%} of the steps only.")
    assert work is not None
    tail = Tail(chosen.pictures, _FIT_STEPS, params.faces)
    if stopped:
        tail = Tail(_QUICK_VIEWS, _QUICK_FIT, min(params.faces, _QUICK_FACES))
    return (yield from _finished(ctx, growing, work, tail, random))


class _Resumable:
    """A stage with its name and step in every checkpoint."""

    def __init__(self, task: latent_training.LatentTask, stage: str) -> None:
        self.task, self.stage = task, stage
        self.step = 0
        self.losses = task.losses

    def advance(self, step: int) -> None:
        self.task.advance(step)
        self.step = step + 1

    def state(self) -> base.State:
        state = self.task.state()
        return base.State(state.tensors, {**state.values, "stage": self.stage, "step": self.step})

    def rewind(self, state: base.State) -> None:
        self.task.rewind(state)
        self.step = int(state.values["step"])

    def restore(self, state: base.State) -> None:
        self.task.restore(state)
        self.step = int(state.values["step"])


def _drawing(
    ctx: base.RunContext, growing: sculpting.Growing, work: _Resumable
) -> Callable[[int], base.Snapshot]:
    """What makes snapshots: the scene so far, its colours by the linear approximation of the decoder."""
    views = decoding.views(12, 1)

    def snapshot(longest: int) -> base.Snapshot:
        scene = GridScene(growing.field, _sampler(work.task))
        items = outputs.scene(ctx, growing.place, scene, views, work.step)
        side = max(16, min(longest, _SHOWN))
        view = sampling.place(
            70.0, 30.0, decoding.DISTANCE, size=side, fov=decoding.FOV, target=sampling.ORIGIN
        )
        scale = growing.place.domain.scale
        camera = sculpting.posed(view, growing.place)
        frame = runtime.look(scene, camera, sculpting.NEAR / scale, sculpting.FAR / scale)
        return base.Snapshot(items, frame.straight())

    return snapshot


def _sampler(task: latent_training.LatentTask) -> OccupiedSampler:
    return OccupiedSampler(task.occupancy.occupied, task.domain, _STEP)


def _finished(
    ctx: base.RunContext,
    growing: sculpting.Growing,
    work: _Resumable,
    tail: Tail,
    random: torch.Generator,
) -> base.Run:
    """From the field to all that the job gives."""
    params: LatentNerfParams = ctx.params
    place, chosen = growing.place, growing.chosen
    state = work.state()

    def step(number: int, total: int, stage: str) -> base.Step:
        return base.Step(number, total, stage, state=lambda: state)

    ctx.timer.stage("colour")
    for _ in range(_LOOKS):
        work.task.look()
    sampler = _sampler(work.task)
    camera = decoding.Camera(growing.field, sampler, place)
    views = decoding.views(tail.views, growing.picture_side)
    pictures = []
    for view in views:
        pictures.append(decoding.picture(camera, view, place, growing.decode))
        yield step(len(pictures), len(views), "colour")
    back = decoding.picture(camera, decoding.behind(views[0]), place, growing.decode)
    yield step(len(pictures), len(views), "colour")
    yield from _fitted(growing, sampler, pictures, tail.fit_steps, random, step)
    scene = GridScene(growing.field, sampler)

    ctx.timer.stage("surface")
    yield step(0, 0, "surface")
    solid = yield from _solid(scene, step(0, 0, "surface"))
    found = yield from _surface(ctx, place, scene, solid, tail.faces, step(0, 0, "surface"))
    ctx.timer.stage("unwrap")
    with unwrap.Unwrapping(found, params.texture_size, gutter=_GUTTER) as job:
        while (atlas := job.poll(0.1)) is None:
            yield step(0, 0, "unwrap")
    ctx.timer.stage("bake")
    texture = yield from _baked(ctx, place, found, atlas, pictures, step)

    ctx.timer.stage("write")
    writing = step(0, 0, "write")
    yield writing
    items, drawn = yield from base.telling(outputs.mesh(found, atlas.corner_uvs, texture), writing)
    measuring = outputs.figures(place, chosen, solid, found, pictures, back, params.prompt, drawn)
    figures = yield from base.telling(measuring, writing)
    figures |= {"steps": work.step, "stage": work.stage, "loss": dict(work.losses())}
    _doubts(ctx, figures)
    exact = growing.device.type == "cpu"
    return base.Result(
        outputs.scene(ctx, place, scene, views, work.step) + items,
        figures,
        backends={"field": growing.backend, "diffusion": f"torch {growing.model.denoiser.dtype}"[6:]},
        preset=chosen.preset,
        promise="bit-equal" if exact else "no step lost",
    )


def _fitted(
    growing: sculpting.Growing,
    sampler: OccupiedSampler,
    pictures: list[decoding.Picture],
    steps: int,
    random: torch.Generator,
    step: Callable[[int, int, str], base.Step],
) -> base.Part[None]:
    """Teaches the field the colours of its pictures."""
    domain, device = growing.place.domain, growing.device
    cameras = CameraRays(
        [one.world for one in pictures],
        domain,
        sculpting.NEAR / domain.scale,
        sculpting.FAR / domain.scale,
        device,
    )
    colours = torch.from_numpy(np.stack([one.colours.reshape(-1, 3) for one in pictures])).to(device)
    seen = torch.from_numpy(np.stack([one.seen.reshape(-1) for one in pictures])).to(device)
    fitting = colour_fitting.ColourFitting(growing.field, sampler, cameras, colours, seen, steps, random)
    for number in range(steps):
        fitting.advance(number)
        yield step(number + 1, steps, "colour")


def _surface(
    ctx: base.RunContext,
    place: places.Place,
    scene: GridScene,
    solid: outputs.Solid,
    faces: int,
    step: base.Step,
) -> base.Part[Mesh]:
    """The object as a mesh in the input's frame. Raises UserError `sculpt.empty`."""
    nothing = UserError(
        "sculpt.empty",
        f"Nothing has grown from the prompt '{ctx.params.prompt[:60]}'.",
        hint="Try another seed, more steps, a higher guidance scale, or a sketch.",
    )
    if not solid.any():
        raise nothing

    blur = _SKETCHLESS_BLUR if place.sketch is None else _BLUR

    def cutting(cells: int, most: int) -> base.Part[shape.Shape]:
        work = shape.of(scene, ctx.params.prompt[:60], 0.0, cells, most, (), _DENSITY, blur)
        return base.telling(work, step)

    try:
        try:
            cut = yield from cutting(_SURFACE_CELLS, faces)
        except UserError as error:
            if error.code != "params.bad":
                raise
            cut = yield from cutting(shape.COARSEST, _ANY_FACES)
            ctx.warn("sculpt.faces", f"The mesh has {len(cut.triangles)} faces: with fewer it has no shape.")
    except UserError as error:
        if error.code != "scene.bad":
            raise
        raise nothing from error  # all that is left of it is thinner than the cells
    return Mesh(
        ctx.params.prompt[:60],
        shape.in_world(smoothing.evened(cut.positions, cut.triangles), place.domain),
        cut.triangles,
        up=place.up,
        front=place.front,
    )


def _baked(
    ctx: base.RunContext,
    place: places.Place,
    found: Mesh,
    atlas: unwrap.Atlas,
    pictures: list[decoding.Picture],
    step: Callable[[int, int, str], base.Step],
) -> base.Part[NDArray[np.uint8]]:
    """The texture [S, S, 3]: the same pictures, put on the surface."""
    whole = np.flatnonzero(check.has_area(found.positions, found.triangles))
    positions = place.work.work_positions(found.positions)
    triangles, uvs = found.triangles[whole], atlas.corner_uvs[whole]
    rasteriser = choose.make("auto", positions, triangles, ctx.device)
    listed = texels.texels(positions, triangles, uvs, ctx.params.texture_size)
    baked = baking.Accumulator(listed, 3, 2 * places.REACH)
    for number, one in enumerate(pictures):
        latent_views.add(baked, one.colours, one.work, rasteriser)
        yield step(number + 1, len(pictures), "bake")
    edges = seams.cut_edges(triangles, uvs, positions)
    detail = latent_views.BAND * 2 * places.REACH / pictures[0].work.width
    finishing = baked.finish(positions[edges.vertices], detail)
    texture, _ = yield from base.telling(finishing, step(len(pictures), len(pictures), "bake"))
    return runtime.to_u8(texture)


def _solid(scene: GridScene, step: base.Step) -> base.Part[outputs.Solid]:
    """Which points are inside, on the grid that sketches have, bool [N, N, N]."""
    side, device = _CELLS, scene.device
    centres = (torch.arange(side, device=device) + 0.5) * (2 / side) - 1
    planes = []
    for x in centres:
        points = torch.cartesian_prod(x[None], centres, centres)
        planes.append((scene.densities(points, 0.0) > _DENSITY).view(side, side).cpu().numpy())
        yield step
    return np.stack(planes)


def _doubts(ctx: base.RunContext, figures: dict[str, Any]) -> None:
    """Warns of what often goes wrong."""
    if figures["occupied"] < _EMPTY:
        ctx.warn("sculpt.thin", f"The object fills only {figures['occupied']:.2%} of the space it had.")
    if figures["occupied"] > _FULL:
        ctx.warn(
            "sculpt.full", f"The object fills {figures['occupied']:.0%} of the space: more fog than shape."
        )
    if (figures["front_back_likeness"] or 0.0) > _ALIKE:
        ctx.warn(
            "sculpt.two_faced",
            "The back looks like the front: say in the prompt what each shows, draw a sketch, or try another "
            "seed.",
        )
    kept = figures["sketch"]
    expected = 1 if kept is None else kept["parts"]
    if figures["parts"] > expected and figures["largest_part"] < 0.95:
        ctx.warn("sculpt.parts", f"The object has come out in {figures['parts']} parts.")
    if kept is not None and kept["filled"] < _FILLED:
        ctx.warn(
            "sculpt.unfilled",
            f"Only {kept['filled']:.0%} of the sketch is filled: lower the softness, or lock its parts.",
        )
