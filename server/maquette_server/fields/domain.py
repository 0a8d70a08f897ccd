"""Where a field lives: the scene's world, the field's frame, the unit cube that its grid spans.

The field's frame is the scene's moved and scaled (one similarity, `Domain.centre` and `Domain.scale`) so that
what matters lies within -1..1. A bounded field ends there. An unbounded one goes on: outside, space is
contracted into -2..2 by the largest coordinate m (mip-NeRF 360, arXiv:2111.12077, Eq. 10, in the maximum norm
as Nerfacto has it): x becomes (2 - 1/m) x / m. Either cube is then brought to 0..1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Domain:
    """The similarity from a scene's world into the field's frame, and whether the field goes on beyond it."""

    centre: tuple[float, float, float]  # of the field's frame, in the scene's world
    scale: float  # field's frame = scale (world - centre)
    unbounded: bool

    @property
    def field_from_scene(self) -> NDArray[np.float64]:
        """The similarity as a matrix [4, 4]."""
        matrix = np.diag([self.scale, self.scale, self.scale, 1.0])
        matrix[:3, 3] = -self.scale * np.asarray(self.centre)
        return matrix

    @classmethod
    def from_matrix(cls, field_from_scene: NDArray[np.float64], unbounded: bool) -> "Domain":
        """The domain of a matrix that `field_from_scene` gave. Raises ValueError for another one."""
        scale = float(field_from_scene[0, 0])
        expected = np.diag([scale, scale, scale, 1.0])
        expected[:3, 3] = field_from_scene[:3, 3]
        if not (scale > 0 and np.allclose(expected, field_from_scene, rtol=0, atol=1e-6 * min(scale, 1.0))):
            raise ValueError("a field's frame is its scene's moved and scaled by a positive number")
        return cls(tuple((-field_from_scene[:3, 3] / scale).tolist()), scale, unbounded)

    def unit(self, points: Tensor) -> Tensor:
        """Points [P, 3] of the field's frame in the unit cube [P, 3]; a bounded field's must lie in it."""
        if not self.unbounded:
            return points * 0.5 + 0.5
        largest = points.abs().amax(-1, keepdim=True).clamp(min=1.0)
        return (2 - 1 / largest) * points / largest * 0.25 + 0.5

    def shrinking(self, points: Tensor) -> Tensor:
        """By what a short length at points [P, 3] of the frame is multiplied in the unit cube, [P]: the
        cube root of the volumes' ratio (Zip-NeRF, arXiv:2304.06706, sec. 2).
        """
        if not self.unbounded:
            return points.new_full(points.shape[:1], 0.5)
        largest = points.abs().amax(-1).clamp(min=1.0)
        across = (2 - 1 / largest) / largest
        return (across * across / (largest * largest)).pow(1 / 3) * 0.25
