"""Editing on a GPU: the embedded editor against the CPU's, pictures against the bare network, a whole job of
four passes over the views of a ball, reconstructed before, and such jobs with less memory.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from maquette_server import config
from maquette_server.cameras.lens import Lens
from maquette_server.cameras.pinhole import look_at
from maquette_server.guidance import loading
from maquette_server.guidance.instruct_edit import InstructionEditor, Strength
from maquette_server.media import png
from maquette_server.worker import device_memory

from benchmarks import commands, edit_picture, frame
from benchmarks.cuda.diffusion import Bench, compare, random_model

EDIT_ERROR = 0.05  # relative, of an edited picture in half precision
WHOLE_GOAL = 180.0  # s, of all edits and what the field learns between them
BATCH, CALLS = 5, 20
VIEWS, STEPS = 60, 1000
REHEARSED_VIEWS, REHEARSED_STEPS = 3, 4
RECONSTRUCTION = 300  # steps
CAPS = (16, 12, 10)  # GiB of memory
TIER_VIEWS = 10
PROMPT = "make it blue"


def precision(bench: Bench) -> list[frame.Figure]:
    """How far an edit on the device is from that of the CPU, by the embedded model."""
    found = []
    for device in ("cpu", bench.sizes.device):
        model = loading.load(str(config.POCKET_EDIT), device, "instruct_edit")
        editor = InstructionEditor(model, PROMPT)
        picture = torch.linspace(0, 1, 64).expand(1, 3, 64, 64).to(device)
        conditions, z = editor.condition(picture), torch.ones(1, 4, 16, 16, device=device)
        embeddings = torch.cat([model.text.embed(PROMPT), model.text.embed(""), model.text.embed("")])
        noise = model.denoiser.predict_noise(
            z.repeat(3, 1, 1, 1),
            torch.full((3,), 500, device=device),
            embeddings,
            torch.cat([conditions, conditions, torch.zeros_like(conditions)]),
        )
        found.append(noise.float().cpu())
    return [
        compare("embedded editor: predicted noise, difference to the CPU", found[1], found[0], EDIT_ERROR)
    ]


def pictures(bench: Bench) -> list[frame.Figure]:
    """Seconds of an edited picture, alone and with shared attention, against the bare network."""
    sizes = bench.sizes
    batch, calls = (BATCH, CALLS) if sizes.cuda else (2, 3)
    with tempfile.TemporaryDirectory() as folder:
        model = loading.load(
            str(random_model(Path(folder), sizes, editor=True)), sizes.device, "instruct_edit"
        )
    side = model.described.sample_size * model.described.factor
    return [
        figure
        for shared in (False, True)
        for figure in edit_picture.timed(
            model,
            Strength(7.5, 1.5, 980, calls),
            batch,
            side,
            shared=shared,
            turns=bench.clock.turns,
            repeats=max(2, sizes.repeats // 6),
            wait=bench.wait,
            goal=edit_picture.GOAL if sizes.cuda else None,
        )
    ]


def whole(bench: Bench) -> list[frame.Figure]:
    """Seconds of the stages of a whole edit with random weights, by the command."""
    sizes = bench.sizes
    views, steps = (VIEWS, STEPS) if sizes.cuda else (REHEARSED_VIEWS, REHEARSED_STEPS)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        side = sizes.unet["sample_size"] * 8
        _ball(folder / "capture", views, side if sizes.cuda else 32)
        model = random_model(folder / "model", sizes, editor=True)
        device = ("--device", sizes.device)
        few = RECONSTRUCTION if sizes.cuda else 2
        commands.ran(folder / "scene", "reconstruct", folder / "capture", "--steps", few, *device)
        words = ("edit", folder / "scene", "--prompt", PROMPT, "--model", model, "--steps", steps)
        ran = commands.ran(folder / "edited", *words, "--lpips", "off", *device)
    told = ran.report["figures"]
    return [
        frame.Figure(
            f"whole edit, {views} views, stage edit",
            ran.report["seconds"]["stages"]["edit"],
            "s",
            goal=WHOLE_GOAL if sizes.cuda else None,
            note=f"{told['network_calls']} calls for a view, {steps} steps of the field",
        ),
        frame.Figure(f"whole edit, {views} views, of it editing", told["seconds_of_editing"], "s"),
        frame.Figure("whole edit, start to end", ran.seconds, "s"),
        frame.Figure("whole edit, peak memory", ran.report["memory"]["peak_device_mb"] / 1000, "GB"),
    ]


def tiers(bench: Bench) -> list[frame.Figure]:
    """Peak memory of an edit with random weights on a card with so much memory, and the tier that it took."""
    sizes = bench.sizes
    side = sizes.unet["sample_size"] * 8 if sizes.cuda else 32
    found = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _ball(folder / "capture", TIER_VIEWS if sizes.cuda else REHEARSED_VIEWS, side)
        model = random_model(folder / "model", sizes, editor=True)
        device = ("--device", sizes.device)
        commands.ran(folder / "scene", "reconstruct", folder / "capture", "--steps", 2, *device)
        words = ("edit", folder / "scene", "--prompt", PROMPT, "--model", model, "--lpips", "off")
        for gib in CAPS if sizes.cuda else CAPS[-1:]:
            with _capped(gib):
                ran = commands.ran(folder / f"edited-{gib}", *words, "--steps", 8, "--calls", 2, *device)
            told = ran.report["figures"]
            stepped = [one["sentence"] for one in ran.report["warnings"] if one["code"] == "memory.tier"]
            found.append(
                frame.Figure(
                    f"edit under {gib} GiB, peak memory",
                    ran.report["memory"]["peak_device_mb"] / 1024,
                    "GiB",
                    goal=gib if sizes.cuda else None,
                    note=" ".join([f"tier {told['tier']}, {told['at_once']} views at once.", *stepped]),
                )
            )
    return found


@contextlib.contextmanager
def _capped(gib: int) -> Iterator[None]:
    """Commands take so much of the device's memory at most."""
    os.environ[device_memory.VARIABLE] = str(gib)
    try:
        yield
    finally:
        del os.environ[device_memory.VARIABLE]


def _ball(folder: Path, count: int, side: int) -> None:
    """A capture of a coloured ball of radius 1 in front of nothing, in nerfstudio's form."""
    (folder / "images").mkdir(parents=True)
    lens = Lens(side, side, 1.2 * side, 1.2 * side, side / 2, side / 2)
    local = lens.directions(lens.pixel_centres())
    frames = []
    for number in range(count):
        angle, rise = 2.4 * number, 1.6 * (number + 0.5) / count - 0.8
        eye = 3.5 * np.array([np.cos(angle) * np.cos(rise), np.sin(angle) * np.cos(rise), np.sin(rise)])
        pose = look_at(eye, np.zeros(3), np.array([0.0, 0.0, 1.0]))
        ahead = local @ pose[:3, :3].T
        ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
        along = -(ahead @ eye)
        root = along**2 - (eye @ eye - 1)
        met = eye + (along - np.sqrt(np.clip(root, 0, None)))[..., None] * ahead
        rgba = np.dstack([0.5 + 0.4 * np.sin(3 * met), root > 0])
        rgba[root <= 0] = 0
        (folder / "images" / f"{number:03d}.png").write_bytes(png.write((rgba * 255).astype(np.uint8)))
        frames.append({"file_path": f"images/{number:03d}.png", "transform_matrix": pose.tolist()})
    inner = {"w": side, "h": side, "fl_x": lens.focal_x, "fl_y": lens.focal_y}
    text = json.dumps({**inner, "cx": side / 2, "cy": side / 2, "frames": frames})
    (folder / "transforms.json").write_text(text, encoding="utf-8")
