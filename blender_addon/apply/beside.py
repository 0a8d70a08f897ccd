"""Folders of files that results are written to, beside the blend file."""

import tempfile
from pathlib import Path

import bpy

from ..wire import errors


def folder(kind: str, job_id: str, label: str) -> Path:
    """`FILE_kind/label-job`, made when it is not there; of a file that is not saved, a temporary folder.

    Raises UserError `output.unusable`.
    """
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in label)
    try:
        if not bpy.data.filepath:
            return Path(tempfile.mkdtemp(prefix=f"maquette-{plain}-"))
        blend = Path(bpy.data.filepath)
        made = blend.parent / f"{blend.stem}_{kind}" / f"{plain}-{job_id[:8]}"
        made.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(error) from error
    return made


def relative(path: Path) -> str:
    """The path of a file as it is written down: seen from the blend file when it lies beside it."""
    blend = Path(bpy.data.filepath).parent if bpy.data.filepath else None
    return bpy.path.relpath(str(path)) if blend is not None and path.is_relative_to(blend) else str(path)


def unusable(error: OSError) -> errors.UserError:
    """The sentence for files that cannot be written."""
    return errors.UserError(
        "output.unusable",
        f"The pictures cannot be written: {error.strerror or error}.",
        hint="Save the blend file in a folder that can be written, or free some space.",
    )


def told(place: Path) -> str:
    """Where they are."""
    return (
        f"in '{place}'" if bpy.data.filepath else f"in '{place}', a temporary folder: the file is not saved"
    )
