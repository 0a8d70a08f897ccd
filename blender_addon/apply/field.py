"""What a reconstruction leaves in the file: the Empty of its capture knows the field on the server."""

import json
from collections.abc import Mapping
from typing import Any

import bpy

from .. import captures


def keep(empty: bpy.types.Object, job_id: str, record: bytes, told: Mapping[str, Any]) -> None:
    """Notes job and scene on the Empty. record: the field's scene.json."""
    try:
        known = json.loads(record)
    except ValueError:
        known = {}
    empty[captures.SCENE] = job_id
    empty[captures.SCENE_ID] = str(known.get("id", "")) if isinstance(known, dict) else ""
    empty[captures.SCENE_TOLD] = json.dumps(dict(told), sort_keys=True)
