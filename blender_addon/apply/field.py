"""What reconstructions and edits leave in the file: the Empty of a capture knows its fields on the server."""

import json
from collections.abc import Mapping
from typing import Any

import bpy

from .. import captures
from . import photographs


def keep(
    empty: bpy.types.Object, job_id: str, record: bytes, told: Mapping[str, Any], name: str = "Reconstruction"
) -> None:
    """Notes job and scene on the Empty, as its newest version. record: the field's scene.json."""
    known = _read(record)
    moments = tuple(int(step) for step in known.get("moments", ()))
    others = [one for one in captures.versions(empty) if one.job != job_id]
    captures.set_versions(empty, [*others, captures.Version(job_id, name, moments)])
    empty[captures.SCENE_ID] = str(known.get("id", ""))
    empty[captures.SCENE_TOLD] = json.dumps(dict(told), sort_keys=True)
    choose(empty, job_id)


def choose(empty: bpy.types.Object, job_id: str) -> None:
    """Shows another version, as it ended; cameras that show edited pictures show those of this version."""
    with photographs.changing(empty):
        empty[captures.SCENE] = job_id
    empty.pop(captures.MOMENT, None)
    found = captures.version(empty)
    empty.maquette.moment = len(found.moments) - 1 if found is not None and found.moments else 0


def _read(record: bytes) -> dict[str, Any]:
    try:
        known = json.loads(record)
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}
