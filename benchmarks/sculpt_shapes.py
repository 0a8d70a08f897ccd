"""How objects keep to their sketches: whole `draft` jobs with the pocket model, five sketches, each with a
prompt of its own; softly (0.3, as the command has it), closely (0.1) and locked.

IoU counts points that are occupied (a length of 0.2 in the field's frame, as dense as the point, stops half
of the light or more) outside a shell of 0.02 round the sketch's surface. The distance is the mean from
surface to surface, both ways, in the field's frame, where a sketch reaches 0.7. The objects stay in
`build/sculpted/` to be looked at.
"""

from typing import Any

from benchmarks import commands, frame, sketches

TITLE = "Objects and their sketches"
FOLDER = frame.ROOT / "build" / "sculpted"
PROMPTS = {
    "teddy": "a wooden teddy",
    "animal": "a brown cow",
    "potion": "a red bottle",
    "hand_prismatic": "a stone hand",
    "figure": "a blue robot",
}
WAYS: dict[str, tuple[object, ...]] = {
    "0.3": ("--softness", 0.3),
    "0.1": ("--softness", 0.1),
    "locked": ("--lock",),
}
GOALS = {"0.1": 0.8, "locked": 0.9}
DISTANT, OF_DISTANT = 0.01, 3


def run() -> list[frame.Figure | frame.Series]:
    """The IoU of every sketch and way, and how many objects are not merely the sketch again."""
    files = sketches.files(FOLDER)
    jobs = {
        f"{name}-{way}": ("sculpt", files[name], "--prompt", PROMPTS[name], *options)
        for name in PROMPTS
        for way, options in WAYS.items()
    }
    reports = commands.together(FOLDER, jobs)
    found: list[frame.Figure | frame.Series] = []
    for way in WAYS:
        label = "locked" if way == "locked" else f"softness {way}"
        for name in PROMPTS:
            iou = kept(reports[f"{name}-{way}"])["iou"]
            note = f"“{PROMPTS[name]}”"
            found.append(
                frame.Figure(f"IoU of {name}, {label}", iou, "", goal=GOALS.get(way), note=note, least=True)
            )
    distances = {name: kept(reports[f"{name}-0.3"])["distance"] for name in PROMPTS}
    for name, distance in distances.items():
        found.append(frame.Figure(f"distance of {name} to its sketch, softness 0.3", distance, ""))
    away = sum(distance > DISTANT for distance in distances.values())
    found.append(frame.Figure(f"of them above {DISTANT}", away, "of 5", goal=OF_DISTANT, least=True))
    return found


def kept(report: dict[str, Any]) -> dict[str, float]:
    """What a report says of the sketch."""
    found: dict[str, float] = report["figures"]["sketch"]
    return found
