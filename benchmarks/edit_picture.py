"""What an edited picture costs beyond the network's calls that it needs, and how much memory a tier takes.

Edits of a batch and the *bare calls* that they need, on the same inputs and with the same attention, turn
about in one process on one thread with the embedded editor. Memory is that of whole commands, which edit
views of the locomotive of `edit`.
"""

from collections.abc import Callable

import torch
from maquette_server import config
from maquette_server.guidance import instruct_edit, loading
from maquette_server.guidance.instruct_edit import InstructionEditor, Strength

from benchmarks import commands, edit, frame

TITLE = "An edited picture with the embedded editor on a CPU"
GOAL = 1.2  # of an edited picture against the calls that it takes
REPEATS = 20
TIERS = {"full": 4, "small": 2, "tiny": 1}  # views of a batch on a CPU
STEPS, VIEWS = 60, 8


def run() -> list[frame.Figure | frame.Series]:
    """Both, the pictures of each tier's batch."""
    torch.set_num_threads(1)
    model = loading.load(str(config.POCKET_EDIT), "cpu", "instruct_edit")
    own = model.described.settings["edit"]
    strength = Strength(own["guidance_scale"], own["image_guidance_scale"], 980, own["steps"])
    found: list[frame.Figure | frame.Series] = []
    for batch in TIERS.values():
        found += timed(
            model, strength, batch, own["size"], shared=batch > 1, turns=frame.turns, repeats=REPEATS
        )
    before = edit.scene("locomotive")
    for tier, batch in TIERS.items():
        after = edit.FOLDER / f"locomotive-{tier}"
        words = ("edit", before, "--prompt", edit.PROMPT, "--steps", STEPS, "--views", VIEWS, "--tier", tier)
        ran = commands.ran(after, *words, "--overwrite")
        found.append(
            frame.Figure(
                f"whole edit, tier {tier}, peak memory", ran.peak / 1e9, "GB", note=f"{batch} views at once"
            )
        )
    return found


def timed(
    model: loading.InstructEdit,
    strength: Strength,
    batch: int,
    side: int,
    *,
    shared: bool,
    turns: Callable[..., dict[str, list[float]]],
    repeats: int,
    wait: Callable[[], None] = lambda: None,
    goal: float | None = GOAL,
) -> list[frame.Figure]:
    """Seconds of an edited picture of side x side pixels, and that over the bare calls.

    turns: takes the time of actions by turns.  wait: until the device has done what it was told.
    """
    device = model.device
    editor = InstructionEditor(model, edit.PROMPT, shared=shared)
    starts = torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0)).to(device)
    conditions = editor.condition(starts)
    network = model.sharing if shared else model.denoiser
    latents = conditions.repeat(instruct_edit.BRANCHES, 1, 1, 1)
    words = model.text.embed(edit.PROMPT).expand(len(latents), -1, -1)
    times = torch.full((len(latents),), 500, device=device)

    def whole() -> None:
        noise = [torch.Generator(device).manual_seed(k) for k in range(batch)]
        for _ in editor.edit(starts, conditions, strength, noise):
            pass
        wait()

    def bare() -> None:
        with torch.no_grad():
            for _ in range(strength.steps):
                network.predict_noise(latents, times, words, latents)
        wait()

    taken = turns({"edit": whole, "bare": bare}, repeats)
    what = f"edited picture{', shared attention' if shared else ''}, {batch} at once"
    return [
        frame.median(f"{what}, {side} px", "s", [each / batch for each in taken["edit"]]),
        frame.ratio(
            f"{what} / bare network calls", list(zip(taken["edit"], taken["bare"], strict=True)), goal
        ),
    ]
