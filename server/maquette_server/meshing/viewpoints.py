"""From where a field is looked at to colour its mesh: all round it, and from where its own cameras stood.

A viewpoint is one camera in two frames: the scene's world, in which the field is rendered, and the work frame
of painting (`geometry.normalise`), in which pictures are put on the surface.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..cameras import sampling
from ..cameras.lens import Lens
from ..cameras.pinhole import Pinhole
from ..geometry.normalise import Similarity
from ..rendering.posed import Posed
from ..scenes.folder import CameraRecord

FOV, DISTANCE = 45.0, 1.64  # the object fills 95 % of the picture
_RINGS = ((45.0, 7), (78.0, 8), (115.0, 7))
OWN = 24  # of the scene's cameras, at most


@dataclass(frozen=True)
class Viewpoint:
    """One camera."""

    world: Posed
    work: Pinhole


def around(work: Similarity, pixels: int) -> list[Viewpoint]:
    """24 cameras round the object, `pixels` square."""
    found = []
    for view in sampling.bake_views(size=pixels, fov=FOV, radius=DISTANCE, rings=_RINGS):
        world = work.undo_pose(view.camera.world_from_camera)
        found.append(Viewpoint(Posed(world, _lens(view.camera)), view.camera))
    return found


def own(work: Similarity, cameras: Sequence[CameraRecord], pixels: int) -> list[Viewpoint]:
    """At most OWN of the cameras that the scene was learnt from, evenly spread over their list, without their
    distortion, the longer side of each at most `pixels`.
    """
    learnt = [camera for camera in cameras if camera.split == "train"]
    chosen = np.unique(np.linspace(0, len(learnt) - 1, min(OWN, len(learnt))).round().astype(int))
    found = []
    for number in chosen:
        one = learnt[number]
        world = one.posed().world_from_camera
        pose = np.eye(4)
        pose[:3, :3] = work.rotation @ world[:3, :3]
        pose[:3, 3] = work.apply(world[:3, 3])
        camera = Pinhole(pose, one.fl_x, one.fl_y, one.cx, one.cy, one.w, one.h)
        share = min(1.0, pixels / max(one.w, one.h))
        camera = camera.resized(max(1, round(one.w * share)), max(1, round(one.h * share)))
        found.append(Viewpoint(Posed(world, _lens(camera), one.time), camera))
    return found


def _lens(camera: Pinhole) -> Lens:
    return Lens(camera.width, camera.height, camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y)
