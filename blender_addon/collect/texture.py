"""The texture that a material has now: its image, UV map and file's bytes, or else its plain colour."""

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import axes, materials, png, steps
from ..wire import errors

JPEG = b"\xff\xd8\xff"
PLAIN: axes.Vector = (0.8, 0.8, 0.8)  # sRGB of an object without a material, as Blender shows it


def require_readable(material: bpy.types.Material | None) -> None:
    """For a mask, which keeps what is there: refuses a colour that neither an image nor a plain value gives.

    Raises UserError `texture.bad`.
    """
    shader = materials.shader_of(material)
    socket = shader.inputs.get("Base Color") if shader else None
    custom = material is not None and shader is None and material.node_tree is not None
    if (socket is not None and socket.is_linked and materials.used_by(material) is None) or custom:
        raise errors.UserError(
            "texture.bad",
            f"The colour of the material '{material.name if material else ''}' comes from nodes that a mask "
            "cannot keep.",
            hint="Bake it to an image that feeds Base Color, or paint without a mask.",
        )


def colour_of(material: bpy.types.Material | None) -> axes.Vector:
    """The plain colour of a material, sRGB 0..1."""
    if material is None:
        return PLAIN
    shader = materials.shader_of(material)
    socket = shader.inputs.get("Base Color") if shader else None
    return axes.srgb_from_linear(socket.default_value if socket is not None else material.diffuse_color)


@dataclass(frozen=True)
class Picture:
    """An image as it is now: the bytes of its file, or a copy of its pixels."""

    file: bytes
    pixels: NDArray[np.float32]  # [H * W * 4], bottom row first
    width: int
    height: int

    @property
    def size(self) -> int:
        """Bytes of what becomes a file."""
        return len(self.file) or 4 * self.width * self.height


def read(image: bpy.types.Image) -> Picture:
    """The image's own file when it is a PNG or JPEG and unchanged, else its pixels.

    Raises UserError `texture.bad` when the image has no pixels.
    """
    data = b""
    if not image.is_dirty and image.source == "FILE":
        if image.packed_file is not None:
            data = bytes(image.packed_file.data)
        elif image.filepath:
            path = Path(bpy.path.abspath(image.filepath_from_user(), library=image.library))
            data = path.read_bytes() if path.is_file() else b""
    if data.startswith((png.SIGNATURE, JPEG)):
        return Picture(data, np.empty(0, np.float32), 0, 0)
    width, height = image.size
    if image.source not in {"FILE", "GENERATED"} or width * height == 0:
        raise errors.UserError(
            "texture.bad",
            f"The texture '{image.name}' has no pixels that can be read.",
            hint="Find its file again or pack it (Image > Pack), or paint without a mask.",
        )
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return Picture(b"", pixels, width, height)


def file_steps(picture: Picture) -> steps.Steps[bytes | bytearray]:
    """The image as the bytes of a PNG or JPEG file."""
    if picture.file:
        return picture.file
    width, height = picture.width, picture.height

    def rows(begin: int, end: int) -> NDArray[np.uint8]:
        return axes.top_rows_from_pixels(picture.pixels, width, height, begin, end)

    return (yield from png.encode_steps(width, height, rows))
