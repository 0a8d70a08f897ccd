"""`maquette export`: a scene as a textured mesh."""

from pathlib import Path
from typing import Annotated

import typer
from maquette_wire.errors import UserError

from . import endings, launch

_FILES = {"mesh.glb": "", "preview.png": ".preview.png", "report.json": ".report.json"}


@endings.ended
def export(
    scene: Annotated[Path, typer.Argument(help="Folder that maquette reconstruct has written.")],
    out: Annotated[str, typer.Option(metavar="PATH", help="MESH.glb; a sheet of pictures lies beside it.")],
    resolution: Annotated[
        int | None, typer.Option(help="Cells of the grid along an axis, at most: 16 to 512; usually 256.")
    ] = None,
    texture_size: Annotated[
        int | None, typer.Option(help="Side of the texture in texels: 64 to 4096, 2048 if not given.")
    ] = None,
    faces: Annotated[
        int | None, typer.Option(help="Faces, at most; the grid becomes coarser until they are so few.")
    ] = None,
    moment: launch.Moment = None,
    device: launch.Device = "",
    server: launch.Server = "",
    as_json: launch.Json = False,
) -> None:
    """Make a textured mesh of SCENE, upright and to scale in Blender and in any viewer of GLB files."""
    from . import captures, file_outputs, outputs

    target = outputs.folder(out)
    if target.suffix.lower() != ".glb":
        raise UserError(
            "output.unusable", f"'{target}' does not end in .glb.", hint="A mesh is written as FILE.glb."
        )
    place = file_outputs.beside(target)
    launch.check(place, server, device)
    blobs: captures.Blobs = {}
    inputs = (captures.scene(scene, blobs, pictures=False, moment=moment),)
    launch.run(
        place,
        "export",
        scene.resolve().name,
        {"resolution": resolution, "texture_size": texture_size, "faces": faces},
        inputs,
        blobs,
        server=server,
        device=device,
        as_json=as_json,
        files=file_outputs.FileOutputs(
            name=target.name,
            endings=_FILES,
            left=("texture.png",),  # which is in mesh.glb
        ),
    )
