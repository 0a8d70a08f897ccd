"""Ways of editing at equal time: all parts together, each left out, and the published way.

The locomotive of `edit`, 12 of its 24 views edited and the others following, a minute and a half each.
"""

import dataclasses

from benchmarks import commands, edit, edited, frame

TITLE = "Ways of editing at equal time"
SECONDS, VIEWS = 90, 12
WAYS: dict[str, tuple[object, ...]] = {
    "joint": (),
    "views edited apart": ("--apart",),
    "noise that does not fall": ("--no-anneal",),
    "views that do not follow": ("--no-follow",),
    "views that nobody doubts": ("--no-agree",),
    "nothing kept as it was": ("--no-keep",),
    "colours that hang on directions": ("--no-matt",),
    "classic": ("--preset", "classic"),
}


def run() -> list[frame.Figure | frame.Series]:
    """The same figures of each."""
    alone = edited.Alone.of(edit.PROMPT)
    before = edit.scene("locomotive")
    found: list[frame.Figure | frame.Series] = []
    for name, options in WAYS.items():
        after = edit.FOLDER / f"locomotive-{name.replace(' ', '-')}"
        words = ("edit", before, "--prompt", edit.PROMPT, "--seconds", SECONDS, "--views", VIEWS)
        commands.ran(after, *words, *options, "--overwrite")
        measured = edited.measure(before, after, alone, edit.COLOUR, edit.HELD_OUT)
        found += [
            dataclasses.replace(one, goal=None) for one in edit.figures(name, measured)
        ]  # goals are of the default
    return found
