"""Pictures with the depths that Blender knows of them: the Z pass of the same render.

Blender shows the passes of a render to nobody, but saves them in a file of several layers; what is read from
it is Z of the layer that the picture shows. It is not filtered: a pixel has the depth of one ray through it,
with Cycles and Workbench through its centre (4.2 and 5.0: to five digits), with EEVEE anywhere near it.
"""

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import camera_models, exr
from ..wire import errors
from . import views

LONGEST = 512  # pixels of the long side of depths that are sent: views are edited at less
_EXACT = ("CYCLES", "BLENDER_WORKBENCH")
_NOTHING = 1e10  # what Cycles and Workbench give where nothing is
_ROUNDING = 2.0**-22  # EEVEE gives clip_end, as single precision tells 1 / depth in shares of 1 / clip_start


def render(
    scene: bpy.types.Scene, camera: bpy.types.Object, pinhole: camera_models.Pinhole, path: Path
) -> NDArray[np.float32] | None:
    """Renders one picture into a PNG file, as `views.render` does, and gives its depths, float32 [H, W], row
    0 at the top: along the viewing axis in Blender's units, infinite where nothing is, 0 where it is not
    known. None when the scene's engine says nothing of depth.

    Raises UserError `cameras.bad`, `output.unusable`.
    """
    if not bpy.app.build_options.image_openexr:
        views.render(scene, camera, pinhole, path)
        return None
    layer, passes = _layer(scene), path.with_suffix(".exr")
    z_pass: views.Setting = (layer, "use_pass_z", True)
    with views.set_up(scene, camera, pinhole, path), views.changed([z_pass]):
        views.picture(scene, camera, path)
        try:
            with views.changed(_of_passes(scene)):
                _result().save_render(str(passes), scene=scene)
            found = exr.read(passes, f"{layer.name}.Depth.Z")
        except (RuntimeError, OSError, ValueError) as error:
            raise errors.UserError(
                "output.unusable",
                f"The depths of '{camera.name}' could not be written: {str(error).strip()}",
                hint="Free some space.",
            ) from error
        finally:
            passes.unlink(missing_ok=True)
    if found is None:
        return None
    return _plain(found, _nothing(scene.render.engine, camera.data.clip_start, camera.data.clip_end))


def reduced(depths: NDArray[np.float32]) -> NDArray[np.float32]:
    """As fine as it is of use: each pixel has the depth of one of the old ones, never a mean of several."""
    size = np.array(depths.shape)
    few = np.maximum(1, np.rint(size * min(1.0, LONGEST / size.max()))).astype(np.int64)
    down, across = (
        ((np.arange(new) + 0.5) * old / new).astype(np.int64) for new, old in zip(few, size, strict=True)
    )
    return depths[down[:, None], across[None, :]]


def _nothing(engine: str, start: float, end: float) -> float:
    """From which depth on there is nothing.  start, end: where the camera's view begins and ends."""
    if engine in _EXACT:
        return _NOTHING
    return min(_NOTHING, 1 / (1 / end + _ROUNDING / start))


def _plain(found: NDArray[np.float32], nothing: float) -> NDArray[np.float32] | None:
    """nothing: from which depth on there is nothing."""
    found[~(found > 0)] = 0  # no engine of Blender's own gives such
    found[found >= nothing] = np.inf
    return found if found.any() else None


def _layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    """The one that the picture shows: without compositing, the first that is rendered."""
    if scene.render.use_single_layer:
        return bpy.context.view_layer
    return next((layer for layer in scene.view_layers if layer.use), scene.view_layers[0])


def _result() -> bpy.types.Image:
    return next(image for image in bpy.data.images if image.type == "RENDER_RESULT")


def _of_passes(scene: bpy.types.Scene) -> Iterator[views.Setting]:
    image = scene.render.image_settings
    yield image, "media_type", "MULTI_LAYER_IMAGE"  # from Blender 5.0 on
    yield image, "file_format", "OPEN_EXR_MULTILAYER"
    yield image, "color_depth", "32"
