"""The sheet of a trial as an image of the file, shown in the image editors that are open."""

from collections.abc import Iterator

import bpy

from .. import captures


def keep(empty: bpy.types.Object, label: str, png: bytes) -> bpy.types.Image:
    """A packed image of its own, which the capture knows as its newest; each trial has another."""
    image = bpy.data.images.new(f"{label} Trial", 8, 8)
    image.pack(data=png, data_len=len(png))
    image.source = "FILE"
    image.colorspace_settings.name = "sRGB"
    image.use_fake_user = True
    empty[captures.TRIAL] = image
    show(image)
    return image


def show(image: bpy.types.Image) -> bool:
    """Shows it as a whole in the image editors; False when there are none."""
    found = False
    for window, area in _editors():
        area.spaces.active.image = image
        region = next(region for region in area.regions if region.type == "WINDOW")
        with bpy.context.temp_override(window=window, area=area, region=region):
            bpy.ops.image.view_all(fit_view=True)
        found = True
    return found


def show_in_window(image: bpy.types.Image) -> None:
    """Shows it in a window of its own."""
    bpy.ops.wm.window_new()
    window = bpy.context.window_manager.windows[-1]
    window.screen.areas[0].type = "IMAGE_EDITOR"
    show(image)


def _editors() -> Iterator[tuple[bpy.types.Window, bpy.types.Area]]:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                yield window, area
