"""The intrinsics of one picture: pixels to directions in camera axes, and back.

Camera axes are OpenGL: x right, y up, looking along -z. Pixel (0, 0) covers [0, 1] x [0, 1], row 0 is the
top. Inside, (x, y) are the normalised coordinates of OpenCV (y down, distance 1), with r^2 = x^2 + y^2:

- `pinhole`: no distortion.
- `opencv`: distortion (k1, k2, k3, k4, p1, p2); x' = x (1 + k1 r^2 + k2 r^4 + k3 r^6 + k4 r^8) + 2 p1 x y
  + p2 (r^2 + 2 x^2), y' = y (...) + p1 (r^2 + 2 y^2) + 2 p2 x y. This is the order of transforms.json;
  OpenCV's own vector is (k1, k2, p1, p2, k3), and its k4..k6 (a denominator) have no counterpart here.
- `fisheye`: distortion (k1, k2, k3, k4) of OpenCV's fisheye; a direction at the angle theta from the axis
  lands at the radius theta (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8). theta may exceed 90
  degrees.
"""

import math
from dataclasses import dataclass

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MODELS = {"pinhole": 0, "opencv": 6, "fisheye": 4}  # model -> how many numbers its distortion has
LARGEST = 1e15  # a number beyond this is as good as infinite
SHORTEST = 1e-6  # pixels; no focal length
LARGEST_SIDE = 1 << 20  # pixels; a larger number is not a picture's
_TABLE = 1025  # samples of the radial curve; Newton starts between two of them
_STEPS = 30
_EXACT = 1e-12  # residual in normalised coordinates at which Newton stops; 1e-9 is promised


@dataclass(frozen=True)
class Lens:
    """Intrinsics of one picture. A lens that exists can be undone everywhere in its picture.

    Raises UserError `dataset.bad` for sizes, numbers or a distortion that no picture can have.
    """

    width: int  # pixels
    height: int
    focal_x: float  # pixels
    focal_y: float
    centre_x: float  # pixels from the left edge
    centre_y: float  # pixels from the top edge
    model: str = "pinhole"
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise _bad(f"The lens model {self.model!r} is not known.", f"Use one of {', '.join(MODELS)}.")
        if len(self.distortion) != MODELS[self.model]:
            raise ValueError(
                f"{self.model} has {MODELS[self.model]} distortion numbers, not {self.distortion}"
            )
        numbers = (self.focal_x, self.focal_y, self.centre_x, self.centre_y, *self.distortion)
        if not all(abs(number) < LARGEST for number in numbers):
            raise _bad("A number of the lens is not finite.", "Calibrate the camera again.")
        if not (0 < self.width <= LARGEST_SIDE and 0 < self.height <= LARGEST_SIDE):
            raise _bad(
                f"The lens has a picture of {self.width} x {self.height} pixels.",
                "State the size of the pictures.",
            )
        if not (self.focal_x > SHORTEST and self.focal_y > SHORTEST):
            raise _bad(
                f"The focal length of the lens is {min(self.focal_x, self.focal_y):g} pixels.",
                "State a focal length above 0, in pixels.",
            )
        if self.distorted:
            self.directions(self._border())

    @property
    def distorted(self) -> bool:
        """Whether anything has to be undone: a fisheye, or a distortion that is not all 0."""
        return self.model == "fisheye" or any(self.distortion)

    def directions(self, pixels: Floats) -> Floats:
        """Directions [..., 3] in camera axes through pixel coordinates [..., 2].

        pinhole, opencv: z = -1, so lengths along them are depths.  fisheye: unit vectors.
        The distortion is undone to 1e-9 (normalised). Raises UserError `dataset.bad` where it cannot be.
        """
        pixels = np.asarray(pixels, np.float64)
        x = (pixels[..., 0] - self.centre_x) / self.focal_x
        y = (pixels[..., 1] - self.centre_y) / self.focal_y
        if self.model == "fisheye":
            radius = np.hypot(x, y)
            theta = self._undone_radius(radius)
            aside = np.sin(theta) / np.where(radius > 0, radius, 1.0)
            return np.stack([x * aside, -y * aside, -np.cos(theta)], -1)
        if any(self.distortion):
            x, y = self._undistorted(x, y)
        return np.stack([x, -y, np.full_like(x, -1.0)], -1)

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels [..., 2] and depth along the viewing axis [...] of points [..., 3] in camera axes.

        Pixels are NaN where the lens sees nothing: at or behind the camera, or beyond the angle at which the
        distortion folds over. A fisheye sees points of negative depth.
        """
        points = np.asarray(points, np.float64)
        depth = -points[..., 2]
        if self.model == "fisheye":
            aside = np.hypot(points[..., 0], points[..., 1])
            theta = np.arctan2(aside, depth)
            seen = (theta < min(self._fold(), math.pi)) & ((aside > 0) | (depth > 0))
            factor = self._curve(theta) / np.where(aside > 0, aside, 1.0)
            x, y = points[..., 0] * factor, -points[..., 1] * factor
        else:
            seen = depth > 0
            divisor = np.where(seen, depth, 1.0)
            x, y = points[..., 0] / divisor, -points[..., 1] / divisor
            if any(self.distortion):
                seen &= np.hypot(x, y) <= self._fold()
                x, y = np.where(seen, x, 0.0), np.where(seen, y, 0.0)
                x, y = self._distorted(x, y)[:2]
        pixels = np.stack([self.centre_x + self.focal_x * x, self.centre_y + self.focal_y * y], -1)
        return np.where(seen[..., None], pixels, np.nan), depth

    def resized(self, width: int, height: int) -> "Lens":
        """The same view with other pixels."""
        sx, sy = width / self.width, height / self.height
        return Lens(
            width,
            height,
            self.focal_x * sx,
            self.focal_y * sy,
            self.centre_x * sx,
            self.centre_y * sy,
            self.model,
            self.distortion,
        )

    def scaled(self, factor: float) -> "Lens":
        """The same view with `factor` times as many pixels each way, rounded to whole ones."""
        return self.resized(max(1, round(self.width * factor)), max(1, round(self.height * factor)))

    def divided(self, factor: int) -> "Lens":
        """With pixels of factor x factor old ones; what does not fill a whole one is cut off at the right and
        below, and moves nothing.
        """
        if factor == 1:
            return self
        return Lens(
            self.width // factor,
            self.height // factor,
            self.focal_x / factor,
            self.focal_y / factor,
            self.centre_x / factor,
            self.centre_y / factor,
            self.model,
            self.distortion,
        )

    def pixel_centres(self) -> Floats:
        """The centres of all pixels, [H, W, 2]."""
        x, y = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        return np.stack([x, y], -1)

    def _border(self) -> Floats:
        """Pixel coordinates round the picture's edge, [N, 2]: what is invertible there is so inside."""
        across = np.linspace(0.0, 1.0, 33)
        flat, full = np.zeros_like(across), np.ones_like(across)
        sides = [(across, flat), (across, full), (flat, across), (full, across)]
        return np.concatenate([np.stack(side, -1) for side in sides]) * (self.width, self.height)

    def _radial(self) -> tuple[float, ...]:
        return self.distortion[:4] if self.distortion else (0.0, 0.0, 0.0, 0.0)

    def _curve(self, r: Floats) -> Floats:
        """The radius at which the undistorted radius r lands."""
        k1, k2, k3, k4 = self._radial()
        s = r * r
        return r * (1.0 + s * (k1 + s * (k2 + s * (k3 + s * k4))))

    def _slope(self, r: Floats) -> Floats:
        k1, k2, k3, k4 = self._radial()
        s = r * r
        return 1.0 + s * (3 * k1 + s * (5 * k2 + s * (7 * k3 + s * 9 * k4)))

    def _fold(self) -> float:
        """The smallest radius at which the radial curve stops rising; infinite where it never does."""
        k1, k2, k3, k4 = self._radial()
        # the slope's zeros in 1 / r^2: its leading factor is 1, however small the terms are
        roots = np.roots([1.0, 3 * k1, 5 * k2, 7 * k3, 9 * k4])
        real = [root.real for root in roots if abs(root.imag) <= 1e-9 * abs(root) and root.real > 1e-12]
        return math.sqrt(1.0 / max(real)) if real else math.inf

    def _reach(self, largest: float) -> float:
        """An undistorted radius whose image is at least `largest`, or the fold where that comes first."""
        fold = min(self._fold(), math.pi) if self.model == "fisheye" else self._fold()
        reach = max(largest, 1e-6)
        while reach < fold and self._curve(np.float64(reach)) < largest:  # type: ignore[arg-type]
            reach *= 2.0
        return min(reach, fold)

    def _start(self, radius: Floats) -> tuple[Floats, float]:
        """The undistorted radius of each radius, from a table, and the table's end."""
        reach = self._reach(float(radius.max(initial=0.0)))
        table = np.linspace(0.0, reach, _TABLE)
        return np.interp(radius, self._curve(table), table), reach

    def _undone_radius(self, radius: Floats) -> Floats:
        theta, reach = self._start(radius)
        for _ in range(_STEPS):
            step = (self._curve(theta) - radius) / np.maximum(self._slope(theta), 1e-6)
            theta = np.clip(theta - step, 0.0, reach)
            if np.abs(step).max(initial=0.0) < _EXACT:
                break
        self._refuse(np.abs(self._curve(theta) - radius) > 1e-9, radius)
        return theta

    def _distorted(self, x: Floats, y: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """x', y' and their derivatives dx'/dx, dx'/dy (= dy'/dx), dy'/dy."""
        k1, k2, k3, k4, p1, p2 = self.distortion
        s = x * x + y * y
        radial = 1.0 + s * (k1 + s * (k2 + s * (k3 + s * k4)))
        change = 2.0 * (k1 + s * (2 * k2 + s * (3 * k3 + s * 4 * k4)))  # d radial / dx = change * x
        return (
            x * radial + 2 * p1 * x * y + p2 * (s + 2 * x * x),
            y * radial + p1 * (s + 2 * y * y) + 2 * p2 * x * y,
            radial + change * x * x + 2 * p1 * y + 6 * p2 * x,
            change * x * y + 2 * p1 * x + 2 * p2 * y,
            radial + change * y * y + 6 * p1 * y + 2 * p2 * x,
        )

    def _undistorted(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """The normalised coordinates that are distorted to (x, y), by Newton's method in two dimensions."""
        radius = np.hypot(x, y)
        start, reach = self._start(radius)
        shrink = start / np.where(radius > 0, radius, 1.0)
        u, v = x * shrink, y * shrink
        for _ in range(_STEPS):
            found_x, found_y, xx, xy, yy = self._distorted(u, v)
            off_x, off_y = found_x - x, found_y - y
            if max(np.abs(off_x).max(initial=0.0), np.abs(off_y).max(initial=0.0)) < _EXACT:
                break
            determinant = np.maximum(xx * yy - xy * xy, 1e-6)
            u = u - (yy * off_x - xy * off_y) / determinant
            v = v - (xx * off_y - xy * off_x) / determinant
            # a pixel that has no solution must not run off to infinity
            u, v = np.clip(u, -2 * reach, 2 * reach), np.clip(v, -2 * reach, 2 * reach)
        found_x, found_y, xx, xy, yy = self._distorted(u, v)
        off = np.hypot(found_x - x, found_y - y)
        folded = (np.hypot(u, v) > self._fold()) | (xx * yy - xy * xy <= 0)
        self._refuse((off > 1e-9) | folded, radius)
        return u, v

    def _refuse(self, wrong: NDArray[np.bool_], radius: Floats) -> None:
        if np.any(wrong):
            terms = ", ".join(f"{term:g}" for term in self.distortion)
            raise _bad(
                f"The lens distortion ({self.model} {terms}) cannot be undone from "
                f"{float(np.min(radius[wrong])):.3g} focal lengths off the centre on, still in the picture.",
                "Calibrate the camera again with fewer distortion terms, or undistort the pictures first.",
            )


def _bad(sentence: str, hint: str) -> UserError:
    return UserError("dataset.bad", sentence, hint=hint)
