"""Makes docs/edited.png: `.venv/bin/python -m benchmarks.edits`.

Rows from the top: held-out views of the locomotive as it was reconstructed, three moments of the edit that
the benchmark `edit` left in `build/edited/`, and its end.
"""

import sys

import numpy as np
from maquette_server.scenes import runtime
from maquette_server.scenes.files import SceneFiles
from PIL import Image

from benchmarks import edit, frame, sheets

PAGE = frame.ROOT / "docs" / "edited.png"
COLUMNS, SIDE = 4, 144  # views, and their pixels
MOMENTS = (0.05, 0.3, 0.6)  # shares of the steps at which three are shown, but for the first


def main() -> int:
    """Renders and writes the page; 2 where a scene is missing."""
    before, after = edit.FOLDER / "locomotive", edit.FOLDER / "locomotive-blue"
    missing = [folder for folder in (before, after) if not (folder / "scene.json").is_file()]
    if missing:
        print(f"{missing[0]} is missing: run the benchmark edit first.", file=sys.stderr)
        return 2
    files = SceneFiles.of_folder(after)
    record = runtime.open_scene(files).record
    later = record.moments[1:]  # the first is the scene as it was
    chosen = [min(later, key=lambda step: abs(step - share * record.step)) for share in MOMENTS]
    rows = [row(SceneFiles.of_folder(before)), *(row(files.at(step)) for step in chosen), row(files)]
    page = Image.fromarray(np.concatenate(rows))
    sheets.save(page, PAGE)
    print(PAGE, chosen)
    return 0


def row(files: SceneFiles) -> np.ndarray:
    """Held-out views of a scene beside each other."""
    scene = runtime.open_scene(files)
    held = [one.posed() for one in scene.cameras if one.split == "test"]
    pictures = []
    for number in np.linspace(0, len(held) - 1, COLUMNS).round().astype(int):
        camera = held[number]
        wide = type(camera)(camera.world_from_camera, camera.lens.scaled(SIDE / camera.lens.width))
        pictures.append(scene.render(wide).over(scene.record.background))
    return np.concatenate(pictures, 1)


if __name__ == "__main__":
    sys.exit(main())
