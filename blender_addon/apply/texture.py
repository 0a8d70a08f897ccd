"""A painted texture onto its object: an image, a UV layer and a material of its own.

Nothing of the artist's is changed. The PNG is packed as it came, nothing is encoded. Slots are taken over in
the object's own link, the mesh's materials stay as they are; what a slot showed before is remembered on the
object and put back by `restore`. L loops.
"""

import json
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import materials, png
from .. import target as targets
from ..wire import errors
from . import slots

UV_LAYER = "Maquette UV"
RECIPE = "maquette_recipe"
MOST_UV_LAYERS = 8  # Blender's own limit
ROUGHNESS = 0.8  # paint, not plastic: highlights would hide the colours that were asked for


@dataclass(frozen=True)
class Painting:
    """What a job gave."""

    png: bytes
    uvs: NDArray[np.float32]  # [L, 2], v up
    recipe: dict[str, Any]
    """prompt, seed, preset, versions: written on image and material"""


def apply(depsgraph: bpy.types.Depsgraph, target: targets.Target, painting: Painting) -> bpy.types.Object:
    """Shows the painting on its object, which it returns. The object must not be in edit mode.

    Raises UserError `result.gone`, `mesh.no_uv`, `texture.bad` or `target.bad`, before anything is changed.
    """
    png.size(painting.png)
    thing = targets.find(target)
    uvs = _base_uvs(depsgraph, thing, target, painting.uvs)
    layer = _uv_layer(thing, uvs)
    image = _image(thing, painting)
    material = material_of(f"{thing.name} Maquette", image, layer, slots.shown(thing, target.slots))
    material[RECIPE] = image[RECIPE]
    slots.take(thing, material, target.slots, thing.maquette.before, RECIPE)
    return thing


def restore(thing: bpy.types.Object) -> int:
    """Puts back what the slots showed; returns how many. Image, UV layer and material stay in the file."""
    return slots.give_back(thing, thing.maquette.before)


def material_of(
    name: str, image: bpy.types.Image, layer: str, replaced: list[bpy.types.Material]
) -> bpy.types.Material:
    """A new material that shows the image by that UV layer.

    The image's alpha makes it transparent where the texture of one that is replaced did so: a mask has kept
    it.
    """
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True  # Blender 4.x only: from 5.0 a material always has its nodes
    tree = material.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
    picture = tree.nodes.new("ShaderNodeTexImage")
    uv = tree.nodes.new("ShaderNodeUVMap")
    for column, node in enumerate((uv, picture, shader, output)):
        node.location = (300 * (column - 2), 0)
    shader.inputs["Roughness"].default_value = ROUGHNESS
    picture.image = image
    uv.uv_map = layer
    tree.links.new(uv.outputs["UV"], picture.inputs["Vector"])
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    cut_out = next(filter(materials.is_cut_out, replaced), None)
    if cut_out is not None:
        tree.links.new(picture.outputs["Alpha"], shader.inputs["Alpha"])
        material.surface_render_method = cut_out.surface_render_method
    tree.links.new(shader.outputs["BSDF"], output.inputs["Surface"])
    tree.nodes.active = picture
    return material


def _base_uvs(
    depsgraph: bpy.types.Depsgraph,
    thing: bpy.types.Object,
    target: targets.Target,
    uvs: NDArray[np.float32],
) -> NDArray[np.float32]:
    """The coordinates for the base mesh's loops, [L, 2]."""
    if not target.carried:
        if len(uvs) != len(thing.data.loops):
            raise errors.UserError("result.gone", f"The result does not fit the faces of '{thing.name}'.")
        return uvs
    evaluated = thing.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    try:
        layer = mesh.uv_layers.get(target.uv_layer)
        if layer is None or len(layer.uv) != len(uvs):
            raise errors.UserError(
                "result.gone",
                f"The modifiers of '{thing.name}' have changed since it was sent.",
                hint="Undo that change and apply again; the result stays in Results.",
            )
        kept = np.allclose(targets.layer_uvs(layer), uvs, atol=1e-5)
    finally:
        evaluated.to_mesh_clear()
    if not kept:
        raise errors.UserError(
            "mesh.no_uv",
            f"The UV map of '{thing.name}' could not be used, and its modifiers cannot carry a new one.",
            hint="Apply the modifiers, or unwrap so that no faces overlap, and paint again.",
        )
    return targets.layer_uvs(thing.data.uv_layers[target.uv_layer])


def _uv_layer(thing: bpy.types.Object, uvs: NDArray[np.float32]) -> str:
    """Name of a layer of ours with these coordinates: an earlier one when it has them, else a new one."""
    layers = thing.data.uv_layers
    for layer in layers:
        if layer.name.startswith(UV_LAYER) and np.array_equal(targets.layer_uvs(layer), uvs):
            return str(layer.name)
    if len(layers) >= MOST_UV_LAYERS:
        raise errors.UserError(
            "target.bad",
            f"'{thing.name}' has {MOST_UV_LAYERS} UV maps already, which is all that Blender takes.",
            hint="Remove one (Properties > Data > UV Maps) and apply again.",
        )
    name = layers.new(name=UV_LAYER, do_init=False).name
    layers[name].uv.foreach_set("vector", np.ascontiguousarray(uvs, np.float32).ravel())
    thing.data.update()
    return str(name)


def _image(thing: bpy.types.Object, painting: Painting) -> bpy.types.Image:
    image = bpy.data.images.new(f"{thing.name} Maquette", 8, 8, alpha=False)
    image.pack(data=painting.png, data_len=len(painting.png))
    image.source = "FILE"
    image.colorspace_settings.name = "sRGB"
    image[RECIPE] = json.dumps(painting.recipe, sort_keys=True)
    return image
