"""Objects from words alone: ten prompts, three seeds each, whole `draft` jobs with the pocket model.

A prompt's share is the median over seeds of the share of the object's pixels, in eight views, that are
nearest (CIELAB) to the colour it names. An object is connected when its largest part has 95 % of all that is
occupied. The model knows hardly any shape, so nothing is said of shape here: a ball of the colour would do.
The objects stay in `build/sculpted/` to be looked at.
"""

import statistics

from benchmarks import commands, frame
from benchmarks.sculpt_shapes import FOLDER

TITLE = "Objects from words alone"
PROMPTS = {
    "a red ball": "red",
    "a blue cube": "blue",
    "a green tree": "green",
    "a yellow duck": "yellow",
    "a purple vase": "purple",
    "an orange mug": "orange",
    "a pink pig": "pink",
    "a brown chair": "brown",
    "a cyan robot": "cyan",
    "a gray rabbit": "gray",
}
SEEDS = (0, 1, 2)
SHARE, WHOLE = 0.5, 0.95
GOAL = 8  # of ten prompts


def run() -> list[frame.Figure | frame.Series]:
    """The share of every prompt's colour, and how many prompts are met in colour and in one part."""
    jobs = {
        f"{prompt.replace(' ', '-')}-{seed}": ("sculpt", "--prompt", prompt, "--seed", seed)
        for prompt in PROMPTS
        for seed in SEEDS
    }
    reports = commands.together(FOLDER, jobs)
    found: list[frame.Figure | frame.Series] = []
    shares, whole = [], []
    for prompt, colour in PROMPTS.items():
        figures = [reports[f"{prompt.replace(' ', '-')}-{seed}"]["figures"] for seed in SEEDS]
        of_seeds = [one["named_colour"][colour] or 0.0 for one in figures]
        shares.append(statistics.median(of_seeds))
        whole.append(statistics.median(one["largest_part"] for one in figures))
        found.append(frame.median(f"share of {colour}, “{prompt}”", "", of_seeds))
    named = sum(share >= SHARE for share in shares)
    found.append(
        frame.Figure(f"prompts with a share of {SHARE} or more", named, "of 10", goal=GOAL, least=True)
    )
    connected = sum(share >= WHOLE for share in whole)
    found.append(frame.Figure("prompts that came out connected", connected, "of 10", goal=GOAL, least=True))
    return found
