"""Whole `maquette edit` commands with the embedded editor, seen from views that no edit saw.

The locomotive that Blender renders, 24 views of 128 x 128 pixels, and lego, 100 views of 400 x 400; both
reconstructed for a minute before. A view counts as obeying when the object's mean moves by dE 15 (CIELAB)
towards the named colour and by 60 % of what the editor does to that view alone. The scenes stay in
`build/edited/` to be looked at.
"""

import statistics
from pathlib import Path

import numpy as np

from benchmarks import captures, commands, edited, frame

TITLE = "Editing a scene with the embedded editor on a CPU"
FOLDER = frame.ROOT / "build" / "edited"
PROMPT, COLOUR = "make it blue", "blue"
RECONSTRUCTION = 60  # s
CASES = {"locomotive": 300.0, "lego": 600.0}  # goal of the whole command in s
HELD_OUT = 12  # views that are measured, at most
MEMORY = 3.0  # GB
OBEYED, WARP, SHARP, LOST = 0.9, 1.2, 0.8, 1.0


def data(name: str) -> Path:
    """The capture of a case."""
    if name == "lego":
        return captures.lego(captures.SIDE)
    with captures.made("locomotive-24") as (folder, draft):
        if draft is not None:
            captures.render(draft, side=128, train=24, test=8, samples=32)
    return folder


def scene(name: str) -> Path:
    """The case reconstructed."""
    folder = FOLDER / name
    if not (folder / "report.json").is_file():
        commands.ran(folder, "reconstruct", data(name), "--seconds", RECONSTRUCTION)
    return folder


def figures(what: str, found: edited.Measured) -> list[frame.Figure]:
    """What was measured, against the goals."""
    views = found.views
    lost = statistics.mean(one.round_trip for one in views) - statistics.mean(one.outside for one in views)
    return [
        frame.Figure(
            f"{what}, held-out views that obey",
            float(np.mean([one.obeyed for one in views])),
            "",
            goal=OBEYED,
            least=True,
        ),
        frame.median(f"{what}, movement of a held-out view", "dE", [one.moved for one in views]),
        frame.median(f"{what}, movement of a view edited alone", "dE", [one.alone for one in views]),
        frame.Figure(
            f"{what}, warp error / before", found.warp_error / found.warp_error_before, "x", goal=WARP
        ),
        frame.Figure(
            f"{what}, sharpness / of views edited alone",
            statistics.mean(one.sharpness for one in views),
            "x",
            goal=SHARP,
            least=True,
        ),
        frame.Figure(f"{what}, lost outside the edit beside a round trip", lost, "dB", goal=LOST),
    ]


def run() -> list[frame.Figure | frame.Series]:
    """Both scenes by default, start to end."""
    alone = edited.Alone.of(PROMPT)
    found: list[frame.Figure | frame.Series] = []
    for name, goal in CASES.items():
        before, after = scene(name), FOLDER / f"{name}-blue"
        ran = commands.ran(after, "edit", before, "--prompt", PROMPT, "--overwrite")
        what = f"{name}, “{PROMPT}”"
        found.append(frame.Figure(f"{what}, start to end", ran.seconds, "s", goal=goal))
        found.append(frame.Figure(f"{what}, peak memory", ran.peak / 1e9, "GB", goal=MEMORY))
        told = ran.report["figures"]
        found.append(frame.Figure(f"{what}, of it editing", told["seconds_of_editing"], "s"))
        found.append(frame.Figure(f"{what}, steps of the field", told["steps"], ""))
        found += figures(what, edited.measure(before, after, alone, COLOUR, HELD_OUT))
    return found
