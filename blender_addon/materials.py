"""What a material shows: its shader, the image that colours it, and whether that image cuts it out."""

from dataclasses import dataclass

import bpy


@dataclass(frozen=True)
class Used:
    """An image that colours a material, and the UV map it is laid out by (empty: the active one)."""

    image: bpy.types.Image
    uv_layer: str


def shader_of(material: bpy.types.Material | None) -> bpy.types.Node | None:
    """The Principled BSDF that is shown, or None."""
    tree = material.node_tree if material is not None else None
    if tree is None:
        return None
    output = tree.get_output_node("ALL")
    if output is None or not output.inputs["Surface"].is_linked:
        return None
    node = output.inputs["Surface"].links[0].from_node
    return node if node.type == "BSDF_PRINCIPLED" else None


def used_by(material: bpy.types.Material | None) -> Used | None:
    """The image that feeds the base colour of a material directly, or None."""
    shader = shader_of(material)
    socket = shader.inputs.get("Base Color") if shader else None
    if socket is None or not socket.is_linked:
        return None
    node = socket.links[0].from_node
    if node.type != "TEX_IMAGE" or node.image is None:
        return None
    vector = node.inputs["Vector"]
    source = vector.links[0].from_node if vector.is_linked else None
    # Of the texture coordinates only the one named UV lies in the UV map.
    by_uv = source is None or source.type == "UVMAP"
    by_uv = by_uv or (source.type == "TEX_COORD" and vector.links[0].from_socket.name == "UV")
    if not by_uv:
        return None
    return Used(node.image, source.uv_map if source is not None and source.type == "UVMAP" else "")


def is_cut_out(material: bpy.types.Material | None) -> bool:
    """True when the alpha of the image that colours a material also makes it transparent, by whatever nodes.

    When the transparency comes from elsewhere, that alpha may mean anything, and is not to be shown.
    """
    used = used_by(material)
    if used is None:
        return False
    ends = [shader_of(material).inputs["Alpha"]]
    seen = set()
    while ends:
        for link in ends.pop().links:
            node = link.from_node
            if node.type == "TEX_IMAGE":
                if node.image == used.image and link.from_socket.name == "Alpha":
                    return True
            elif node.name not in seen:
                seen.add(node.name)
                ends += node.inputs
    return False
