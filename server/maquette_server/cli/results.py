"""What a finished job leaves in the folder that `--out` names."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maquette_wire import arrays, messages

from . import outputs

WRITTEN = frozenset({"texture", "mesh", "images", "video", "scene", "figures"})
"""roles whose items are files of the folder, when they are no bare arrays"""
NEEDED = WRITTEN | {"uv"}


def write(
    out: Path,
    result: messages.ResultBody,
    content: Callable[[messages.ResultItem], bytes | Path],
    mesh_path: Path | None,
    mesh_digest: str,
) -> list[str]:
    """Writes the files of a result, `mesh.obj` if the input was one, and `report.json`; returns their names.

    content: bytes of an item, or the file that holds them.  mesh_digest: SHA-256 of the file that was sent.
    """
    files: dict[str, bytes | Path] = {
        item.name: content(item) for item in result.items if item.role in WRITTEN and not item.dtype
    }
    report = dict(result.report)
    uv = next((item for item in result.items if item.role == "uv"), None)
    texture = next((item for item in result.items if item.role == "texture"), None)
    if mesh_path is not None and mesh_path.suffix.lower() == ".obj" and uv and texture:
        written = _obj(mesh_path, mesh_digest, uv, content(uv), texture.name)
        if written:
            files |= written
        else:
            warnings = list(report.get("warnings", []))
            sentence = f"mesh.obj was not written: '{mesh_path.name}' has changed since the start."
            report["warnings"] = [*warnings, {"code": "mesh.note", "sentence": sentence}]
    return outputs.write(out, files, report)


def _obj(
    mesh_path: Path, mesh_digest: str, uv: messages.ResultItem, content: bytes | Path, texture: str
) -> Mapping[str, bytes]:
    """`mesh.obj` and `mesh.mtl` with the polygons of the input; empty when the input is not what it was."""
    import tempfile

    from ..geometry import obj

    try:
        given = mesh_path.read_bytes()
    except FileNotFoundError:
        return {}
    if arrays.digest_of(given) != mesh_digest:
        return {}
    polygons = obj.read(given, mesh_path.parent, mesh_path.name).polygons
    data = content.read_bytes() if isinstance(content, Path) else content
    loop_uvs: Any = arrays.from_bytes(uv.dtype, uv.shape, data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mesh.obj"
        obj.write_polygons(path, polygons, loop_uvs, texture)
        return {name: (Path(folder) / name).read_bytes() for name in ("mesh.obj", "mesh.mtl")}
