"""What a sculpting job gives: the files of a scene, a textured mesh, pictures, and figures about them."""

import io
import uuid
from typing import Any

import msgspec
import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy import ndimage

from ...baking import pauses
from ...cameras import sampling
from ...geometry import normalise
from ...geometry.mesh import Mesh
from ...media import contact_sheet, png, video
from ...metrics import likeness, sharpness, surfaces
from ...rendering import textured_mesh
from ...rendering.grid_render import GridScene
from ...scenes import folder, grid_weights
from .. import base, colour_figure, mesh_items, mesh_sheet, scene_input
from .decoding import Picture
from .place import Place
from .sculpting import FAR, NEAR, posed
from .settings import Settings

_SIDE = 512  # pixels of the scene's own cameras
_TURN, _FPS, _TURN_SIDE = 60, 20.0, 320  # pictures of the turntable, a second, pixels
_ON_SURFACE = 0.01  # of a union of solids: as far from it may a point of it seem to be
SHELL = 0.02  # on either side of a sketch's surface that says nothing of how it is kept to
NO_PICTURE = "no picture shows the object"
Solid = NDArray[np.bool_]  # [N, N, N], axes x, y, z: occupied


def scene(
    ctx: base.RunContext, place: Place, field: GridScene, views: list[sampling.View], step: int
) -> list[base.Item]:
    """scene.json, cameras.json and the weights; the scene has cameras, but no pictures."""
    chosen = msgspec.json.encode(ctx.params, order="sorted").decode()
    scale = place.domain.scale
    centre, half = np.asarray(place.domain.centre), 1 / scale
    record = folder.SceneRecord(
        format=folder.FORMAT,
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{ctx.seed} {step} {place.domain} {chosen}")),
        name=ctx.params.prompt[:80],
        method="latent_nerf",
        created_by=scene_input.VERSION,
        field=grid_weights.record(field),
        field_from_scene=folder.matrix(place.domain.field_from_scene),
        up=place.up,
        front=place.front,
        aabb=(folder.vector(centre - half), folder.vector(centre + half)),
        near=NEAR / scale,
        far=FAR / scale,
        background="white",
        step=step,
    )
    rows = []
    for number, view in enumerate(views):
        camera = posed(sampling.View(view.camera.resized(_SIDE, _SIDE), 0, 0, 0, 0), place)
        lens = camera.lens
        rows.append(
            folder.CameraRecord(
                id=number,
                w=lens.width,
                h=lens.height,
                fl_x=lens.focal_x,
                fl_y=lens.focal_y,
                cx=lens.centre_x,
                cy=lens.centre_y,
                transform_matrix=folder.matrix(camera.world_from_camera),
                name=f"{number:05d}",
            )
        )
    return [
        base.Item("scene", "scene.json", folder.encode(record)),
        base.Item("scene", "cameras.json", folder.encode(folder.Cameras(frames=tuple(rows)))),
        base.Item("scene", folder.checkpoint_path(step), grid_weights.encode(field)),
    ]


def mesh(
    found: Mesh, corner_uvs: NDArray[np.float32], texture: NDArray[np.uint8]
) -> pauses.Pausing[tuple[list[base.Item], textured_mesh.TexturedMesh]]:
    """mesh.glb, its arrays, preview.png, turntable.mp4; and the mesh in painting's work frame. Pauses."""
    given = mesh_items.of(found, corner_uvs, png.write(texture))
    yield
    work = normalise.work_from_input(
        found.positions, up=found.up, front=found.front, triangles=found.triangles
    )
    drawn = textured_mesh.TexturedMesh(
        work.work_positions(found.positions), found.triangles, corner_uvs, texture
    )
    sheet = yield from mesh_sheet.sheet(drawn)
    film = io.BytesIO()
    with video.writing(film, _FPS) as add:
        for number in range(_TURN):
            view = sampling.place(
                72.0, 360.0 * number / _TURN, 1.65, size=_TURN_SIDE, fov=45.0, around=sampling.LOOK_AT
            )
            rgba, _ = drawn.draw(view.camera, shade=mesh_sheet.SHADE)
            add(contact_sheet.over(rgba, contact_sheet.LIGHT_GREY))
            yield
    shown = [
        base.Item("images", "preview.png", png.write(sheet)),
        base.Item("video", "turntable.mp4", film.getvalue()),
    ]
    return given + shown, drawn


def figures(
    place: Place,
    chosen: Settings,
    solid: Solid,
    found: Mesh,
    pictures: list[Picture],
    back: Picture,
    prompt: str,
    drawn: textured_mesh.TexturedMesh,
) -> pauses.Pausing[dict[str, Any]]:
    """Numbers of the method's own; what was not measured is None, and `not_measured` says why. Pauses.

    solid: at the sketch's resolution where there is one.  back: from the other side than the first picture.
    """
    why: dict[str, str] = {}
    labels, count = ndimage.label(solid)
    sizes = np.bincount(labels.reshape(-1))[1:]
    yield
    result: dict[str, Any] = {
        "occupied": float(solid.mean()),
        "parts": int(count),
        "largest_part": float(sizes.max() / sizes.sum()) if count else 0.0,
        "vertices": len(found.positions),
        "faces": len(found.triangles),
        "guidance_scale": chosen.guidance_scale,
        "front_back_likeness": _front_back(pictures[0], back),
        "mean_gradient": _mean_gradient(pictures),
        "sketch": None,
        "not_measured": why,
    }
    if result["mean_gradient"] is None:
        why["mean_gradient"] = NO_PICTURE
    if result["front_back_likeness"] is None:
        why["front_back_likeness"] = "the front or the back is all but plain"
    if place.sketch is None:
        why["sketch"] = "there was none"
    else:
        result["sketch"] = yield from _kept(place, solid, found)
        if result["sketch"]["distance"] is None:
            why["sketch.distance"] = "no point of the sketch's faces lies on the surface of its union"
    result |= yield from colour_figure.of(drawn, prompt, why)
    return result


def _kept(place: Place, solid: Solid, found: Mesh) -> pauses.Pausing[dict[str, Any]]:
    """How the object keeps to its sketch: intersection over union outside a shell round the surface, the
    share of the sketch that is filled, the mean distance of the surfaces (both ways) in the field's frame.
    """
    assert place.sketch is not None
    signed = place.sketch.volume.signed
    inside = signed < 0
    counted = np.abs(signed) > SHELL
    both, either = solid & inside & counted, (solid | inside) & counted
    yield
    scale, centre = place.work.scale, place.work.centre
    given = trimesh.util.concatenate(
        [trimesh.Trimesh((one.positions - centre) * scale, one.triangles) for one in place.sketch.meshes]
    )
    own = trimesh.Trimesh((found.positions - centre) * scale, found.triangles)
    there = surfaces.mean_distance(own, given)
    yield
    volume = place.sketch.volume
    # walls of one solid within another are no surface of the sketch
    back = surfaces.mean_distance(given, own, lambda points: np.abs(volume.at(points)) < _ON_SURFACE)
    yield
    return {
        "iou": float(both.sum() / max(1, either.sum())),
        "filled": float((solid & inside).sum() / max(1, inside.sum())),
        "parts": int(ndimage.label(inside)[1]),
        "distance": None if there is None or back is None else (there + back) / 2,
    }


def _mean_gradient(pictures: list[Picture]) -> float | None:
    """See `metrics.sharpness`, of all pictures that show the object."""
    found = [sharpness.mean_gradient(one.colours, one.seen > 0.5) for one in pictures]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None


def _front_back(front: Picture, back: Picture) -> float | None:
    """See `metrics.likeness`."""
    return likeness.front_back(front.colours, back.colours, front.seen > 0.5, back.seen > 0.5)
