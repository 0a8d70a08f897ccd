"""preview.png of a textured mesh: eight views round it."""

import numpy as np
from numpy.typing import NDArray

from ..baking import pauses
from ..cameras import sampling
from ..media import contact_sheet
from ..rendering import textured_mesh

_VIEW = 320  # pixels of one view
SHADE = 0.35  # how much of a light at the camera shows


def sheet(seen: textured_mesh.TexturedMesh, shade: float = SHADE) -> pauses.Pausing[NDArray[np.uint8]]:
    """[2 * 320, 4 * 320, 3]: views of a mesh in the work frame, a little from above, on light grey; pauses
    after each.
    """
    views = []
    for k in range(8):
        view = sampling.place(65.0, 45.0 * k, 1.65, size=_VIEW, fov=45.0, around=sampling.LOOK_AT)
        rgba, _ = seen.draw(view.camera, shade=shade)
        views.append(rgba)
        yield
    return contact_sheet.grid(views, columns=4)
