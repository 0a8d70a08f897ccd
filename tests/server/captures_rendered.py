"""The locomotive of the benchmarks, rendered small by a real Blender, for tests."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "scenes" / "locomotive.py"
LIMIT = 300.0  # s; what hangs is ended


def blender() -> Path:
    """The Python of the newest Blender; skips without one, or fails with CI=true."""
    found = sorted((ROOT / ".venv-blender").glob("*/bin/python"))
    found += sorted((ROOT / ".venv-blender").glob("*/Scripts/python.exe"))
    if not found:
        sentence = "no Blender is in .venv-blender; run make setup"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found[-1]


def render(folder: Path, side: int, train: int, test: int) -> None:
    """Writes a data set of Blender's synthetic form."""
    sizes = {"side": side, "train": train, "test": test, "samples": 4, "threads": 1}
    words = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [str(blender()), str(SCRIPT), str(folder), *words],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
