"""Makes the pictures of sculpting in `docs/`: `.venv/bin/python -m benchmarks.sculptures`.

They are put together of the previews of objects that the benchmarks `sculpt_shapes`, `sculpt_prompts` and
`sculpt_refine` left in `build/sculpted/`: sculpted.png has one object a row, eight sides of each;
sculpted-refined.png the same object without refinement and with it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from benchmarks import frame, sheets
from benchmarks.sculpt_shapes import FOLDER

DOCS = frame.ROOT / "docs"
PAGES = {
    "sculpted.png": ("teddy-0.3", "animal-0.3", "potion-0.3", "a-red-ball-0"),
    "sculpted-refined.png": ("teddy-plain", "teddy-refined"),
}
SIDE, COLUMNS, ROWS = 320, 4, 2  # of a preview: pixels of a view, and how they stand
SHOWN = 160  # pixels of a view on a page


def main() -> int:
    """Makes all pages; 2 where an object is missing."""
    for page, names in PAGES.items():
        missing = [name for name in names if not preview(name).is_file()]
        if missing:
            print(f"{', '.join(missing)} was not sculpted: run the benchmarks first.", file=sys.stderr)
            return 2
        sheets.save(rows(names), DOCS / page)
        print(DOCS / page)
    return 0


def preview(name: str) -> Path:
    """The sheet of an object."""
    return FOLDER / name / "preview.png"


def rows(names: Sequence[str]) -> Image.Image:
    """All eight sides of each object in a row."""
    page = Image.new("RGB", (SHOWN * COLUMNS * ROWS, SHOWN * len(names)))
    for number, name in enumerate(names):
        sheet = Image.open(preview(name)).convert("RGB")
        for row in range(ROWS):
            part = sheet.crop((0, row * SIDE, COLUMNS * SIDE, (row + 1) * SIDE))
            part = part.resize((SHOWN * COLUMNS, SHOWN), Image.Resampling.LANCZOS)
            page.paste(part, (row * SHOWN * COLUMNS, number * SHOWN))
    return page


if __name__ == "__main__":
    sys.exit(main())
