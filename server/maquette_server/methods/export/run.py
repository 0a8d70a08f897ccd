"""The story of an export: find the surface, unwrap it, look at the field from all sides, write."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...baking import latent_views, views
from ...baking import surface as texels
from ...geometry import check, normalise, unwrap
from ...geometry.mesh import Mesh
from ...media import png
from ...meshing import hollows, shape, viewpoints
from ...rasterise import choose
from ...rendering import textured_mesh
from ...scenes import runtime
from .. import base, mesh_items, mesh_sheet, scene_input
from . import ExportParams, colouring

_RADIUS = 0.6  # of the object in the work frame
_PIXELS = {"cpu": 512, "cuda": 1024}  # of a render's longer side, at most
_FEWEST_PIXELS = 128
# Texels between charts. A captured surface falls into thousands of small ones: with the 16 texels that a side
# of 1024 has otherwise, those of lego fill 0.03 % of the texture, with 2 texels 37 %.
_GUTTER = 2
_GLANCE = 128  # pixels of a picture that only says how far one sees
_FINDING = base.Step(0, 0, "surface")


@dataclass(frozen=True)
class Found:
    """The surface before it has colours."""

    mesh: Mesh  # in the scene's world
    resolution: int
    occupied: float


def run(ctx: base.RunContext) -> base.Run:
    """See `methods.base`."""
    ctx.timer.stage("load")
    yield base.Step(0, 0, "load")
    scene = runtime.open_scene(scene_input.scene_files(ctx), ctx.device)
    for note in scene.notes:
        ctx.warn("checkpoint.damaged", note)
    yield base.Step(0, 0, "load")
    return (yield from export(ctx, scene))


def export(ctx: base.RunContext, scene: runtime.Scene) -> base.Run:
    """All of it but opening the scene."""
    params: ExportParams = ctx.params
    ctx.timer.stage("surface")
    found = yield from surface(ctx, scene)
    mesh = found.mesh
    ctx.timer.stage("unwrap")
    with unwrap.Unwrapping(mesh, params.texture_size, gutter=_GUTTER) as job:
        while (atlas := job.poll(0.1)) is None:
            yield base.Step(0, 0, "unwrap")

    ctx.timer.stage("bake")
    faces = np.flatnonzero(check.has_area(mesh.positions, mesh.triangles))
    work = normalise.work_from_input(
        mesh.positions, up=mesh.up, front=mesh.front, triangles=mesh.triangles[faces]
    )
    drawn = colouring.Surface(
        work.work_positions(mesh.positions), mesh.triangles[faces], atlas.corner_uvs[faces]
    )
    rasteriser = choose.make("auto", drawn.positions, drawn.triangles, ctx.device)
    yield base.Step(0, 0, "bake")
    listed = texels.texels(drawn.positions, drawn.triangles, drawn.corner_uvs, params.texture_size)
    pixels = _pixels(ctx.device, params.texture_size)
    own = viewpoints.own(work, scene.cameras, pixels)
    around = viewpoints.around(work, pixels) if not (scene.field.domain.unbounded and own) else []
    total = len(own) + len(around)
    baked = views.Accumulator(listed, 3, 2 * _RADIUS)
    yield from colouring.coloured(scene, around, own, baked, rasteriser)
    detail = latent_views.BAND * 2 * _RADIUS / pixels
    last = base.Step(total, total, "bake")
    texture, seen = yield from base.telling(colouring.finished(baked, drawn, detail), last)

    ctx.timer.stage("write")
    writing = base.Step(total, total, "write")
    yield writing
    painted = png.write(texture)
    given = mesh_items.of(mesh, atlas.corner_uvs, painted)
    yield writing
    shown = textured_mesh.TexturedMesh(drawn.positions, drawn.triangles, drawn.corner_uvs, texture)
    sheet = yield from base.telling(mesh_sheet.sheet(shown, shade=0.0), writing)
    items = [*given, base.Item("images", "preview.png", png.write(sheet))]
    figures = {
        "vertices": len(mesh.positions),
        "faces": len(mesh.triangles),
        "resolution": found.resolution,
        "occupied": found.occupied,
        "texture_size": params.texture_size,
        "texels_seen": seen,
        "views": total,
        "uv": atlas.source,
        "charts": atlas.chart_count,
        "scene": scene.record.id,
        "scene_step": scene.step,
    }
    return base.Result(
        items,
        figures,
        backends={"field": str(scene.record.field["type"]), "rasteriser": rasteriser.name},
    )


def surface(ctx: base.RunContext, scene: runtime.Scene) -> base.Part[Found]:
    """The mesh in the scene's world. Raises UserError `scene.bad`, `params.bad`."""
    params: ExportParams = ctx.params
    domain = scene.field.domain
    name = scene.record.name or "scene"
    if domain.unbounded:
        low, high = (shape.in_world(np.full(3, side), domain) for side in (-1.0, 1.0))
        ctx.warn(
            "scene.cropped",
            "The scene has no bounds: what lies between "
            f"({_text(low)}) and ({_text(high)}) is exported, the rest is cut off.",
        )
    wanted = params.resolution or shape.USUAL
    sights = []
    if not domain.unbounded:
        corners = shape.in_world(np.array(list(itertools.product((-1.0, 1.0), repeat=3))), domain)
        cube = normalise.work_from_input(corners, up=scene.record.up, front=scene.record.front)
        everywhere = viewpoints.around(cube, _GLANCE) + viewpoints.own(cube, scene.cameras, _GLANCE)
        sights = yield from base.telling(hollows.sights(scene, everywhere), _FINDING)
    work = shape.of(scene.field, name, _footprint(scene), wanted, params.faces, sights)
    cut = yield from base.telling(work, _FINDING)
    if params.resolution is not None and cut.resolution < params.resolution:
        ctx.warn(
            "params.reduced",
            f"The grid has {cut.resolution} cells along an axis instead of {params.resolution}, "
            f"so that the mesh has at most {params.faces} faces.",
        )
    mesh = Mesh(
        name,
        shape.in_world(cut.positions, domain),
        cut.triangles,
        up=scene.record.up,
        front=scene.record.front,
    )
    return Found(mesh, cut.resolution, cut.occupied)


def _footprint(scene: runtime.Scene) -> float:
    """Standard deviation, in the field's frame, of a pixel's footprint in the middle of it: as the pictures
    that it learnt from have it, of several sizes the largest. Finer levels of the field mean nothing.
    """
    learnt = [camera for camera in scene.cameras if camera.split == "train"]
    if not learnt:
        return 0.0
    domain = scene.field.domain
    eyes = np.array([np.array(camera.transform_matrix)[:3, 3] for camera in learnt])
    away = domain.scale * np.linalg.norm(eyes - np.asarray(domain.centre), axis=1)
    focal = np.array([np.sqrt(camera.fl_x * camera.fl_y) for camera in learnt]) / scene.record.reduce
    footprints = away / (np.sqrt(12) * focal)
    # Halvings of the sides: pictures that were cropped a little differently are of one size.
    sizes = np.array([np.log2(camera.w * camera.h) / 2 for camera in learnt]).round()
    return min(float(np.median(footprints[sizes == size])) for size in np.unique(sizes))


def _pixels(device: str, texture_size: int) -> int:
    """Of a render's longer side: about a pixel for each texel that a view sees, as far as the device can."""
    return max(_FEWEST_PIXELS, min(texture_size // 2, _PIXELS[device.split(":")[0]]))


def _text(place: NDArray[np.float64]) -> str:
    return ", ".join(f"{one:.4g}" for one in place)
