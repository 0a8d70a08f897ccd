"""Whole `maquette sculpt` commands with the pocket model: wall seconds and peak memory, start to end."""

import tempfile
from pathlib import Path

from benchmarks import commands, frame, sketches

TITLE = "Sculpting with the pocket model on a CPU"
PROMPT = "a wooden teddy"
GOALS = {"draft": 120.0, "standard": 360.0}  # s
MEMORY = 3.0  # GB
RUNS = {"draft": 2, "standard": 1}


def run() -> list[frame.Figure | frame.Series]:
    """Both presets after the paper's teddy."""
    found: list[frame.Figure | frame.Series] = []
    with tempfile.TemporaryDirectory() as folder:
        sketch = sketches.files(Path(folder))["teddy"]
        for preset, count in RUNS.items():
            words = ("sculpt", sketch, "--prompt", PROMPT, "--preset", preset)
            runs = [commands.ran(Path(folder) / f"{preset}{number}", *words) for number in range(count)]
            what = f"maquette sculpt of teddy, {preset}"
            found += [
                frame.median(f"{what}, start to end", "s", [one.seconds for one in runs], goal=GOALS[preset]),
                frame.median(f"{what}, peak memory", "GB", [one.peak / 1e9 for one in runs], goal=MEMORY),
                *(
                    frame.median(
                        f"{what}, {stage}", "s", [one.report["seconds"]["stages"][stage] for one in runs]
                    )
                    for stage in runs[0].report["seconds"]["stages"]
                ),
            ]
    return found
