"""Sketches that sculpting is tried on: four of the real meshes, and the five solids of `job.figure`."""

from pathlib import Path

import trimesh

from benchmarks import frame, job

REAL = ("teddy", "animal", "potion", "hand_prismatic")
OWN = "figure"


def files(folder: Path) -> dict[str, Path]:
    """Their files by name; that of our own is written to `folder`. Raises Lacking when one is missing."""
    found = {}
    for name in REAL:
        found[name] = frame.data_folder() / "meshes" / f"{name}.obj"
        if not found[name].is_file():
            raise frame.Lacking(f"{found[name].name} is not at hand")
    folder.mkdir(parents=True, exist_ok=True)
    found[OWN] = folder / f"{OWN}.obj"
    solids = [trimesh.Trimesh(*one, process=False) for one in job.figure()]
    found[OWN].write_text(trimesh.util.concatenate(solids).export(file_type="obj"), encoding="utf-8")
    return found
