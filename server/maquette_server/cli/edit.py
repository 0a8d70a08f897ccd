"""`maquette edit`: a reconstructed scene changed by an instruction."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from maquette_wire.errors import UserError

from . import endings, launch
from .render import EditedCaption, InputCaption, Lpips


class Preset(StrEnum):
    """How views are edited."""

    joint = "joint"
    classic = "classic"


class Tier(StrEnum):
    """How much memory is used."""

    full = "full"
    small = "small"
    tiny = "tiny"


@endings.ended
def edit(
    scene: Annotated[Path, typer.Argument(help="Folder that maquette reconstruct or edit has written.")],
    prompt: Annotated[str, typer.Option(help="What is to be done, such as: make it blue.")],
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder for the edited scene.")],
    trial: Annotated[
        bool, typer.Option("--try", help="Only try: three views at several strengths, one sheet.")
    ] = False,
    preset: Annotated[
        Preset, typer.Option(help="Views edited together, or one by one as published.")
    ] = Preset.joint,
    tier: Annotated[
        Tier | None, typer.Option(help="How much memory is used; what the card has room for, if not given.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the field.")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Seconds of editing and learning instead; 240 on a CPU.")
    ] = None,
    guidance: Annotated[float | None, typer.Option(help="How closely the instruction is followed.")] = None,
    image_guidance: Annotated[
        float | None, typer.Option(help="How much stays as it is in the pictures.")
    ] = None,
    calls: Annotated[int | None, typer.Option(help="Inference steps from the highest noise level.")] = None,
    size: Annotated[
        int | None, typer.Option(help="Long side of pictures while they are edited, in pixels.")
    ] = None,
    views: Annotated[
        int | None, typer.Option(help="Views that are edited, far apart; the others follow. 24 on a CPU.")
    ] = None,
    together: Annotated[
        bool,
        typer.Option("--together/--apart", help="Joint: a batch shares attention."),
    ] = True,
    follow: Annotated[
        bool,
        typer.Option("--follow/--no-follow", help="Joint: views not edited take over edits."),
    ] = True,
    agree: Annotated[
        bool,
        typer.Option(
            "--agree/--no-agree",
            help="Joint: doubt views that missed an edit.",
        ),
    ] = True,
    anneal: Annotated[
        bool,
        typer.Option("--anneal/--no-anneal", help="Joint: noise falls from pass to pass."),
    ] = True,
    keep: Annotated[
        bool | None,
        typer.Option(
            "--keep/--no-keep",
            help="What the edit leaves alone stays; usual in joint.",
        ),
    ] = None,
    matt: Annotated[
        bool | None,
        typer.Option(
            "--matt/--no-matt",
            help="Edited colours look the same from every side; usual in joint.",
        ),
    ] = None,
    lpips: Annotated[
        Lpips, typer.Option(help="Learn by LPIPS too: if its weights are configured, always, or never.")
    ] = Lpips.auto,
    input_caption: InputCaption = "",
    edited_caption: EditedCaption = "",
    model: launch.Model = "",
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier edit in --out.")] = False,
    seed: launch.Seed = 0,
    moment: launch.Moment = None,
    device: launch.Device = "",
    server: launch.Server = "",
    as_json: launch.Json = False,
) -> None:
    """Change SCENE by an instruction; --out is then a scene with the edited pictures and moments to choose
    from.
    """
    from . import captures, outputs

    place = outputs.folder(out)
    launch.check(place, server, device)
    outputs.check_free(place, "instruct_nerf2nerf", overwrite)
    if trial and outputs.exists(place / outputs.SCENE):
        raise UserError(
            "output.unusable",
            f"'{place}' holds an edited scene, which a trial would replace.",
            hint="Name another folder with --out.",
        )
    blobs: captures.Blobs = {}
    inputs = (captures.scene(scene, blobs, pictures=True, moment=moment),)
    params = {
        "prompt": prompt,
        "preset": preset.value,
        "tier": None if tier is None else tier.value,
        "steps": steps,
        "seconds": seconds,
        "guidance_scale": guidance,
        "image_guidance_scale": image_guidance,
        "calls": calls,
        "size": size,
        "views": views,
        "together": together,
        "follow": follow,
        "agree": agree,
        "anneal": anneal,
        "keep": keep,
        "matt": matt,
        "lpips": lpips.value,
        "input_caption": input_caption,
        "edited_caption": edited_caption,
        "trial": trial,
    }
    launch.run(
        place,
        "instruct_nerf2nerf",
        prompt,
        params,
        inputs,
        blobs,
        server=server,
        device=device,
        as_json=as_json,
        seed=seed,
        model=model,
    )
