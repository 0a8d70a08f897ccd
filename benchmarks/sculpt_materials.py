"""Materials of sculpted objects: one sketch, the eight materials of the model, whole `draft` jobs with
refinement.

The eight views of each object are shown to the classifier of `maquette_server.pocket.checking`, which the
models never met; a view counts when it names the material that was asked for. The objects stay in
`build/sculpted/` to be looked at.
"""

import numpy as np
import torch
from maquette_server import config
from maquette_server.pocket.checking import judge
from maquette_server.pocket.drawing import words
from PIL import Image
from torch import Tensor

from benchmarks import commands, frame, sculptures, sketches
from benchmarks.sculpt_shapes import FOLDER

TITLE = "Materials of sculpted objects"
SKETCH = "teddy"
SEEN = 64  # pixels a side of the classifier's pictures
SHARE = 0.5


def run() -> list[frame.Figure | frame.Series]:
    """The share of views that show each material, and how many materials most views show."""
    sketch = sketches.files(FOLDER)[SKETCH]
    prompts = {name: f"a {words.MATERIAL_ADJECTIVES[name][0]} teddy" for name in words.MATERIALS}
    jobs = {
        f"{SKETCH}-{name}": ("sculpt", sketch, "--prompt", prompt, "--refine")
        for name, prompt in prompts.items()
    }
    commands.together(FOLDER, jobs)
    asked = judge.load(config.POCKET.parent / "judge")
    found: list[frame.Figure | frame.Series] = []
    shown = 0
    for name, prompt in prompts.items():
        answers = asked.materials(views(f"{SKETCH}-{name}"))
        share = sum(answer == name for answer in answers) / len(answers)
        shown += share >= SHARE
        others = sorted({answer for answer in answers if answer != name})
        label = f"share of views in {name}, “{prompt}”" + (f" (else: {', '.join(others)})" if others else "")
        found.append(frame.Figure(label, share, ""))
    found.append(frame.Figure(f"materials that {SHARE} or more of the views show", shown, "of 8"))
    return found


def views(name: str) -> Tensor:
    """The eight sides of an object's sheet as the classifier takes them, [8, 3, SEEN, SEEN] in 0..1."""
    sheet = Image.open(sculptures.preview(name)).convert("RGB")
    side = sculptures.SIDE
    parts = [
        sheet.crop((column * side, row * side, (column + 1) * side, (row + 1) * side))
        for row in range(sculptures.ROWS)
        for column in range(sculptures.COLUMNS)
    ]
    small = [np.asarray(part.resize((SEEN, SEEN), Image.Resampling.BOX)) for part in parts]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 255
