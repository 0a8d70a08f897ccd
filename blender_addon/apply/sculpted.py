"""A sculpted object in the scene: an Empty that places its field, and its surface as a mesh below it.

The field is in world coordinates, so the Empty stands at the origin and the mesh where the sketch was; an
object without a sketch is placed at the 3D cursor. Further objects of the same sketch, or of the same prompt
at the same place, stand beside the first.
"""

import json
from collections.abc import Mapping
from typing import Any

import bpy
import numpy as np

from .. import captures, transforms
from . import extracted, field

OF = "maquette_sculpted"  # name of the sketch or prompt, on the Empty
PLACE = "maquette_place"  # where the first of them stands, on the Empty
_ASIDE = 1.15  # widths of an object from one to the next


def build(
    context: bpy.types.Context,
    label: str,
    place: tuple[float, float, float],
    surface: extracted.Surface | None,
    job_id: str,
    record: bytes,
    told: Mapping[str, Any],
) -> bpy.types.Object:
    """The Empty. label: of the job.  place: where the field's origin goes.  record: the field's scene.json.

    Raises UserError `result.gone`, `texture.bad`, before anything is made.
    """
    if surface is not None:
        extracted.refuse_unusable(surface)
    earlier = [thing for thing in context.scene.objects if thing.get(OF) == label]
    before = sum(tuple(thing.get(PLACE, ())) == place for thing in earlier)
    empty = bpy.data.objects.new(label, None)
    empty.empty_display_size = 0.2
    empty[captures.HEADER] = json.dumps(transforms.RENDERED)
    empty[captures.FOLDER] = ""
    empty[OF], empty[PLACE] = label, place
    context.scene.collection.objects.link(empty)
    empty.location = place
    if surface is not None and before:
        empty.location.x += before * _ASIDE * float(np.ptp(surface.positions[:, 0]))
    field.keep(empty, job_id, record, told)
    if surface is None:
        context.view_layer.objects.active = empty
        return empty
    extracted.build(context, empty, surface)
    return empty
