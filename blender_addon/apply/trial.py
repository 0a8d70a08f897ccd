"""The sheet of a trial as an image of the file, shown in the image editors that are open."""

import bpy


def show(label: str, png: bytes) -> bpy.types.Image:
    """A packed image of its own; each trial has another."""
    image = bpy.data.images.new(f"{label} Trial", 8, 8)
    image.pack(data=png, data_len=len(png))
    image.source = "FILE"
    image.colorspace_settings.name = "sRGB"
    image.use_fake_user = True
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                area.spaces.active.image = image
    return image
