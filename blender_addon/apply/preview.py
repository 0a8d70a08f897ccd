"""A running job on its object: a temporary image, material and UV layer, marked as such.

Nothing of it is ever saved: `remove_all` runs before saving and loading, before and after undo and redo (an
undo step of the artist may hold a preview), and the next snapshot shows it again. L loops.
"""

import logging
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import axes, unchanged
from .. import target as targets
from ..wire import errors
from . import slots, texture

log = logging.getLogger(__name__)

MARK = "maquette_preview"
LAYER = "maquette_preview_layer"
UV_LAYER = "Maquette Preview"
PROBES = 100  # coordinates that are compared before all are


def show(record: dict[str, Any], picture: NDArray[np.uint8], uvs: NDArray[np.float32]) -> bool | None:
    """Shows a snapshot on its target; False when the target cannot show it now, None when it is to be tried
    again: it is not known yet whether the target is `unchanged`, or its UV layer was chosen just now, which
    takes long enough.
    picture: [H, W, 4], uvs: [L, 2].

    Left alone are targets that have changed, meshes in edit mode (their layers are Blender's), and meshes
    whose modifiers change the topology.
    """
    target = targets.from_record(record)
    try:
        thing = targets.locate(target)
    except errors.UserError as error:
        log.info("no preview: %s", error.code)
        return False
    if target.carried or len(uvs) != len(thing.data.loops):
        return False
    same = unchanged.is_unchanged(thing, target)
    if not same:
        return same
    image = next((image for image in bpy.data.images if image.get(MARK) == target.uid), None)
    if image is None:
        layer = _layer(thing, uvs)
        if not layer or thing.maquette.preview:
            return False
        image = bpy.data.images.new(UV_LAYER, picture.shape[1], picture.shape[0], alpha=True)
        image[MARK], image[LAYER] = target.uid, layer
        return None
    if not thing.maquette.preview:
        replaced = slots.shown(thing, target.slots)
        material = texture.material_of(UV_LAYER, image, image[LAYER], replaced)
        material[MARK] = target.uid
        slots.take(thing, material, target.slots, thing.maquette.preview, MARK)
    if tuple(image.size) != (picture.shape[1], picture.shape[0]):
        image.scale(picture.shape[1], picture.shape[0])
    image.pixels.foreach_set(axes.pixels_from_top_rows(picture))
    image.update()
    return True


def remove(uid: str) -> None:
    """Takes the preview off the object of that id."""
    for thing in bpy.data.objects:
        if thing.maquette.uid == uid and _has_preview(thing):
            _take_off(thing)
    _purge(uid)


def remove_all() -> None:
    """Takes every preview out of the file."""
    for thing in bpy.data.objects:
        if _has_preview(thing):
            _take_off(thing)
    _purge("")


def _has_preview(thing: bpy.types.Object) -> bool:
    """True also when only its UV layer has been made."""
    return bool(thing.maquette.preview) or (thing.type == "MESH" and UV_LAYER in thing.data.uv_layers)


def _take_off(thing: bpy.types.Object) -> None:
    slots.give_back(thing, thing.maquette.preview)
    layer = thing.data.uv_layers.get(UV_LAYER)
    if layer is not None:
        thing.data.uv_layers.remove(layer)


def _purge(uid: str) -> None:
    """Removes marked materials and images, of that target or of all."""
    for collection in (bpy.data.materials, bpy.data.images):
        for block in [block for block in collection if MARK in block and uid in {"", block[MARK]}]:
            collection.remove(block)


def _layer(thing: bpy.types.Object, uvs: NDArray[np.float32]) -> str:
    """Name of a layer with these coordinates, a temporary one if there is none yet; empty without room."""
    layers = thing.data.uv_layers
    for layer in layers:
        if _alike(layer, uvs) and np.array_equal(targets.layer_uvs(layer), uvs):
            return str(layer.name)
    if len(layers) >= texture.MOST_UV_LAYERS:
        return ""
    name = layers.new(name=UV_LAYER, do_init=False).name
    layers[name].uv.foreach_set("vector", np.ascontiguousarray(uvs, np.float32).ravel())
    thing.data.update()
    return str(name)


def _alike(layer: bpy.types.MeshUVLoopLayer, uvs: NDArray[np.float32]) -> bool:
    """False when some of the coordinates differ: nearly all other layers are told so without a copy."""
    some = range(0, len(uvs), max(len(uvs) // PROBES, 1))
    return all(tuple(layer.uv[loop].vector) == tuple(uvs[loop]) for loop in some)
