"""What is wrong with a data set, in sentences, and a drawing of its cameras."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..cameras import conventions
from . import depths, doubts, pictures, scale
from .base import DataSet, Floats, Frame

ALIKE = 1e-7  # of the largest coordinate: places closer than this are one
SEEING = 0.5  # share of the cameras that should see the point where they look
PANEL = 360  # pixels of one side of the drawing
_FINE = 2  # drawn this much larger, then reduced
_COLOURS = {"train": (66, 110, 180), "val": (70, 150, 90), "test": (215, 120, 40)}
_GREY, _UP = (150, 150, 150), (190, 40, 60)
_SIDE = PANEL * _FINE
# what is seen from each side: which of right, forward and up goes right in the picture, and which goes up
_SIDES = (("from the front", 0, 2), ("from the right", 1, 2), ("from above", 0, 1))


@dataclass(frozen=True)
class Finding:
    """Something about a data set that the user should know."""

    file: str  # the picture, or the folder when it is about all of them
    severity: str  # "error": training would fail or mean nothing; "warning": it may be meant
    sentence: str


def examine(dataset: DataSet) -> list[Finding]:
    """Everything found, pictures first. Every picture is read to its end, one at a time."""
    found: list[Finding] = []
    edges: dict[str, Floats | None] = {}
    shown = 0
    for frame in dataset.frames:
        try:
            picture = pictures.load(frame)
            edges[frame.name] = doubts.edge(picture, frame.mask is not None)
            empty = picture.shape[2] == 4 and not picture[..., 3].any()
            mask = pictures.load_mask(frame)
            depths.load(frame)
        except UserError as error:
            found.append(Finding(frame.name, "error", error.line()))
            continue
        if empty:
            found.append(Finding(frame.name, "warning", "The picture is transparent everywhere."))
        if mask is not None and not mask.any():
            found.append(Finding(frame.name, "warning", "The mask leaves out the whole picture."))
        elif not empty and frame.split == "train":
            shown += 1
    sound = [frame for frame in dataset.frames if _sound(frame, found)]
    folder = dataset.folder.name
    twice = [name for name, count in Counter(frame.name for frame in dataset.frames).items() if count > 1]
    found += [Finding(name, "warning", f"{name!r} stands more than once in the data set.") for name in twice]
    if not shown and not any(finding.severity == "error" for finding in found):
        found.append(Finding(folder, "error", "No picture that is learnt from shows anything."))
    if len(dataset.frames) == 1:
        found.append(Finding(folder, "error", "The data set has one camera only; a scene needs several."))
    elif len(sound) > 1:
        found += [Finding(folder, *finding) for finding in _cameras(sound)]
        learnt = [frame for frame in sound if frame.split == "train"]
        if len(learnt) > 1:
            about = doubts.of(learnt, [edges.get(frame.name) for frame in learnt])
            found += [Finding(folder, "warning", sentence) for sentence in about]
    return found


def _sound(frame: Frame, found: list[Finding]) -> bool:
    try:
        conventions.rigid(frame.world_from_camera, repr(frame.name))
    except UserError as error:
        found.append(Finding(frame.name, "error", error.line()))
        return False
    return True


def _cameras(frames: Sequence[Frame]) -> list[tuple[str, str]]:
    """Severity and sentence of what is odd about all cameras together."""
    matrices = scale.poses(frames)
    size = float(np.abs(matrices[:, :3, 3]).max())
    together = scale.spread(frames) <= ALIKE * size
    if together and np.ptp(matrices[:, :3, :3], axis=0).max() < 1e-6:
        return [("error", f"All {len(frames)} cameras are alike; each picture needs its own pose.")]
    if together:
        return [("error", "All cameras stand in one place, so no distance can be learned from them.")]
    focus = scale.focus_point(frames)
    if focus is None:  # parallel axes meet at infinity, which is no fault of a forward-facing capture
        return []
    seeing = sum(_sees(frame, focus) for frame in frames)
    if seeing >= SEEING * len(frames):
        return []
    return [
        (
            "warning",
            f"Only {seeing} of {len(frames)} cameras see the point where their views come together; if this "
            "is not meant, the axes of the poses are of another convention.",
        )
    ]


def _sees(frame: Frame, point: Floats) -> bool:
    matrix = frame.world_from_camera
    pixel, _ = frame.lens.project((point - matrix[:3, 3]) @ matrix[:3, :3])
    return bool(np.all(pixel >= 0) and np.all(pixel <= (frame.lens.width, frame.lens.height)))


def picture(dataset: DataSet) -> NDArray[np.uint8]:
    """The cameras as small pyramids from three sides with the up arrow, u8 [H, W, 3].

    The base of a pyramid is what its picture shows; a flag stands on the base's upper edge. Colours are the
    splits. The arrow stands where the cameras look.
    """
    frames = [frame for frame in dataset.frames if np.isfinite(frame.world_from_camera).all()]
    axes = _axes(dataset.up)
    sheet = Image.new("RGB", (len(_SIDES) * _SIDE, _SIDE), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    strokes, middle, radius = _strokes(frames, axes)
    for number, (title, across, upward) in enumerate(_SIDES):
        flat = np.stack([axes[across], -axes[upward]]) * 0.42 * _SIDE / radius  # [2, 3], pixels go down
        left = number * _SIDE
        for points, colour, width in strokes:
            pixels = (points - middle) @ flat.T + (left + 0.5 * _SIDE, 0.5 * _SIDE)
            draw.line([(float(x), float(y)) for x, y in pixels], fill=colour, width=width)
        draw.rectangle((left, 0, left + _SIDE - 1, _SIDE - 1), outline=_GREY)
        draw.text((left + 8 * _FINE, 6 * _FINE), title, fill=(0, 0, 0), font_size=13 * _FINE)
    x = 8.0 * _FINE
    for split, colour in _COLOURS.items():
        text = f"{split} {len(dataset.of(split))}"
        draw.text((x, _SIDE - 22 * _FINE), text, fill=colour, font_size=13 * _FINE)
        x += draw.textlength(text, font_size=13 * _FINE) + 14 * _FINE
    return np.array(sheet.resize((len(_SIDES) * PANEL, PANEL), Image.Resampling.BOX))


def _axes(up: Floats) -> Floats:
    """Right, forward and up as rows [3, 3]: the world axis least along up serves as right."""
    right = np.eye(3)[int(np.argmin(np.abs(up) + np.array([0.0, 1e-9, 2e-9])))]
    right = right - up * (right @ up)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(up, right), up])


def _strokes(
    frames: Sequence[Frame], axes: Floats
) -> tuple[list[tuple[Floats, tuple[int, int, int], int]], Floats, float]:
    """Lines (points [2 or more, 3] in the world, colour, pixels wide), and the ball that holds them."""
    if not frames:
        return [], np.zeros(3), 1.0
    focus = scale.focus_point(frames)
    shown = scale.poses(frames)[:, :3, 3]
    shown = shown if focus is None else np.concatenate([shown, focus[None]])
    middle = 0.5 * (shown.min(0) + shown.max(0))
    radius = float(np.linalg.norm(shown - middle, axis=-1).max()) or 1.0
    strokes = [
        (stroke, _COLOURS[frame.split], _FINE)
        for frame in frames
        for stroke in _pyramid(frame, 0.14 * radius)
    ]
    foot = middle if focus is None else focus
    tip = foot + 0.3 * radius * axes[2]
    strokes.append((np.stack([foot, tip]), _UP, 2 * _FINE))
    for aside in (axes[0], -axes[0], axes[1], -axes[1]):
        wing = tip + radius * (0.05 * aside - 0.08 * axes[2])
        strokes.append((np.stack([wing, tip]), _UP, 2 * _FINE))
    return strokes, middle, radius


def _pyramid(frame: Frame, depth: float) -> list[Floats]:
    """Strokes [2 or more, 3] in the world: four edges, the base, and a flag on its upper edge."""
    lens, matrix = frame.lens, frame.world_from_camera
    width, height = float(lens.width), float(lens.height)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    rays = lens.directions(corners)
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True) * depth
    flag = 0.5 * (rays[0] + rays[1]) + 0.15 * (rays[0] - rays[3] + rays[1] - rays[2])
    local = np.concatenate([np.zeros((1, 3)), rays, flag[None]])
    points = local @ matrix[:3, :3].T + matrix[:3, 3]
    base = points[[1, 2, 3, 4, 1]]
    return [*(points[[0, corner]] for corner in (1, 2, 3, 4)), base, points[[1, 5, 2]]]
