"""What refinement does: the same whole job with the pocket model without it and with it (the first stage is
the same, bit for bit).

The gradient is that of brightness, a pixel, over the object in 24 pictures of one size: decoded latents
without refinement, the refined colours with it. The objects stay in `build/sculpted/` to be looked at.
"""

from benchmarks import commands, frame, sketches
from benchmarks.sculpt_shapes import FOLDER, kept

TITLE = "Refinement of colours"
PROMPTS = {"teddy": "a wooden teddy", "potion": "a red bottle", "figure": "a blue robot"}
GOAL = 1.2


def run() -> list[frame.Figure | frame.Series]:
    """How much sharper the pictures of each object are, and what its shape and colour came to."""
    files = sketches.files(FOLDER)
    jobs = {
        f"{name}-{way}": ("sculpt", files[name], "--prompt", prompt, *options)
        for name, prompt in PROMPTS.items()
        for way, options in {"plain": (), "refined": ("--refine",)}.items()
    }
    reports = commands.together(FOLDER, jobs)
    found: list[frame.Figure | frame.Series] = []
    for name, prompt in PROMPTS.items():
        before, after = (reports[f"{name}-{way}"] for way in ("plain", "refined"))
        sharper = after["figures"]["mean_gradient"] / before["figures"]["mean_gradient"]
        label = f"{name}, “{prompt}”"
        found.append(
            frame.Figure(f"mean gradient with / without, {label}", sharper, "x", goal=GOAL, least=True)
        )
        for way, report in (("without", before), ("with", after)):
            found.append(frame.Figure(f"IoU {way}, {label}", kept(report)["iou"], ""))
            for colour, share in report["figures"].get("named_colour", {}).items():
                found.append(frame.Figure(f"share of {colour} {way}, {label}", share or 0.0, ""))
    return found
