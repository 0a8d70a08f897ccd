"""`maquette render` and `maquette evaluate`: looking at a scene, and measuring it."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from maquette_wire import messages
from maquette_wire.errors import UserError

from . import endings, launch

_PATH = re.compile(r"(turntable|spiral)(?::(\d+))?")
_SPLITS = ("train", "val", "test")
_FILM = {"render.mp4": "", "depth.mp4": ".depth.mp4", "report.json": ".report.json"}
_OTHER_FILMS = (".mov", ".webm", ".mkv", ".avi", ".gif", ".m4v")
_EVALUATION = {"evaluation.json": "", "sheet.png": ".sheet.png", "report.json": ".report.json"}
SceneFolder = Annotated[Path, typer.Argument(help="Folder that maquette reconstruct has written.")]


InputCaption = Annotated[
    str, typer.Option(help="The scene before the edit in words, for what CLIP measures.")
]
EditedCaption = Annotated[str, typer.Option(help="The same after the edit.")]


class Split(StrEnum):
    """Which pictures."""

    test = "test"
    val = "val"
    train = "train"


class Lpips(StrEnum):
    """Whether LPIPS is measured."""

    auto = "auto"
    on = "on"
    off = "off"


@endings.ended
def render(
    scene: SceneFolder,
    cameras: Annotated[str, typer.Option(help="Camera file, turntable[:N], spiral[:N], train, val or test.")],
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder for pictures, or a FILE.mp4.")],
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels.")] = "",
    scale: Annotated[float, typer.Option(help="Factor of both sides.")] = 1.0,
    elevation: Annotated[float, typer.Option(help="Degrees above the ground, of a turntable.")] = 20.0,
    fps: Annotated[float | None, typer.Option(help="Pictures a second, of a film.")] = None,
    depth: Annotated[bool, typer.Option(help="Depth too: EXR files, or FILE.depth.mp4.")] = False,
    transparent: Annotated[bool, typer.Option(help="Keep transparency in pictures.")] = False,
    moment: launch.Moment = None,
    device: launch.Device = "",
    server: launch.Server = "",
    as_json: launch.Json = False,
) -> None:
    """Render SCENE from cameras, or along a path round it."""
    from . import captures, file_outputs, outputs

    target = outputs.folder(out)
    film = target.suffix.lower() == ".mp4"
    if target.suffix.lower() in _OTHER_FILMS:
        raise UserError("params.bad", f"'{target.name}' is no film that is written.", hint="Name an .mp4.")
    place = file_outputs.beside(target) if film else target
    launch.check(place, server, device)
    if not film:
        outputs.check_free(place, "render")
    params: dict[str, object] = {"scale": scale, "elevation": elevation, "depth": depth}
    params |= {"transparent": transparent, "video": film}
    params["width"], params["height"] = _size(size)
    blobs: captures.Blobs = {}
    inputs: tuple[messages.Input, ...] = (captures.scene(scene, blobs, pictures=False, moment=moment),)
    named = _PATH.fullmatch(cameras)
    if named:
        params["path"], params["frames"] = named[1], int(named[2]) if named[2] else None
    elif cameras in _SPLITS:
        params["path"] = cameras
    else:
        given, rate = _given(Path(cameras))
        inputs += (given,)
        params["path"], params["fps"] = "given", rate
    params["fps"] = fps if fps is not None else params.get("fps")
    launch.run(
        place,
        "render",
        scene.resolve().name,
        params,
        inputs,
        blobs,
        server=server,
        device=device,
        as_json=as_json,
        files=file_outputs.FileOutputs(name=target.name, endings=_FILM) if film else None,
    )


@endings.ended
def evaluate(
    scene: SceneFolder,
    out: Annotated[
        str, typer.Option(metavar="PATH", help="REPORT.json; a sheet of pictures lies beside it.")
    ],
    split: Annotated[Split, typer.Option(help="Which pictures to compare with.")] = Split.test,
    most: Annotated[int | None, typer.Option(help="At most so many pictures, evenly spread.")] = None,
    reduce: Annotated[
        int | None, typer.Option(help="Divide the pictures' sides by this; as when it learnt, if not given.")
    ] = None,
    lpips: Annotated[
        Lpips, typer.Option(help="LPIPS: if its weights are configured, always, or never.")
    ] = Lpips.auto,
    input_caption: InputCaption = "",
    edited_caption: EditedCaption = "",
    moment: launch.Moment = None,
    device: launch.Device = "",
    server: launch.Server = "",
    as_json: launch.Json = False,
) -> None:
    """Compare renders of SCENE with its photographs: PSNR, SSIM, LPIPS of each, by size, and in the mean.
    Of an edited scene also what its edit has done.
    """
    from . import captures, file_outputs, outputs

    target = outputs.folder(out)
    place = file_outputs.beside(target)
    launch.check(place, server, device)
    blobs: captures.Blobs = {}
    inputs = (captures.scene(scene, blobs, pictures=True, moment=moment, beginning=True),)
    launch.run(
        place,
        "evaluate",
        scene.resolve().name,
        {
            "split": split.value,
            "most": most,
            "reduce": reduce,
            "lpips": lpips.value,
            "input_caption": input_caption,
            "edited_caption": edited_caption,
        },
        inputs,
        blobs,
        server=server,
        device=device,
        as_json=as_json,
        files=file_outputs.FileOutputs(name=target.name, endings=_EVALUATION),
    )


def _size(text: str) -> tuple[int | None, int | None]:
    if not text:
        return None, None
    found = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text.strip())
    if found is None or 0 in (int(found[1]), int(found[2])):
        raise UserError("params.bad", f"{text!r} is no size.", hint="Write it as 640x480.")
    return int(found[1]), int(found[2])


def _given(path: Path) -> tuple[messages.CamerasInput, float | None]:
    """Cameras of a camera path JSON, or of a data set's own file."""
    from . import captures

    if path.name.startswith("transforms") or path.is_dir():
        from ..datasets import opening

        blobs: captures.Blobs = {}
        found, _ = captures.data_set(opening.read(path), blobs)
        assert isinstance(found, messages.CamerasInput)
        return found, None
    from ..cameras import path_file

    read = path_file.load(path)
    return captures.cameras(read.stops), read.fps
