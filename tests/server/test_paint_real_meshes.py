"""What a person is promised of `maquette paint`: the named colour, no seams, nothing left unpainted.

Everything is measured from the files that were written (`painted`), not taken from the report.
"""

import json
from pathlib import Path

import numpy as np
import painted
import pytest

# Spot looks along -z in its file; the others have no face to speak of.
MESHES = {
    "spot_triangulated": ("cow", ("red", "green", "blue", "yellow"), ["--front", "-z"]),
    "blub": ("fish", ("orange", "purple", "pink", "cyan"), []),
    "teddy": ("teddy bear", ("blue", "pink", "brown", "yellow"), []),
    "potion": ("bottle", ("green", "red", "white", "black"), []),
}
# What the embedded model does not manage yet; strict, so that it is taken out when it does.
GREYISH = pytest.mark.xfail(reason="the embedded model greys white on this thing", strict=True)
MARKS = {("potion", "white"): [GREYISH]}
CASES = [
    pytest.param(mesh, colour, marks=MARKS.get((mesh, colour), []))
    for mesh, (_, colours, _) in MESHES.items()
    for colour in colours
]


def assert_well_painted(folder: Path, colour: str) -> None:
    """The promises, for a folder that holds a painting of that colour."""
    result = painted.Painted(folder)
    seen = result.seen()
    assert painted.share(result.surface(), colour) > 0.5
    assert painted.share(result.pictured(), colour) > 0.5
    assert painted.share(seen, colour) > 0.5
    if colour != "black":  # what no view has painted and nothing has filled is exactly 0
        assert (seen == 0).all(1).mean() < 0.01
    step = result.seam_step()
    assert step is not None
    assert step <= 1.5
    figures = json.loads((folder / "report.json").read_text(encoding="utf-8"))["figures"]
    assert figures["visible_unseen"] < 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("mesh", "colour"), CASES)
def test_a_painted_mesh_has_the_named_colour_and_no_seams(data, tmp_path, maquette, mesh, colour):
    noun, _, options = MESHES[mesh]
    out = tmp_path / "out"
    source = data / "meshes" / f"{mesh}.obj"
    done = maquette("paint", source, "--prompt", f"a {colour} {noun}", "--out", out, *options, timeout=600)
    assert done.returncode == 0, done.stderr
    assert_well_painted(out, colour)


@pytest.mark.slow
def test_a_quick_draft_of_a_cow_is_well_painted_already(data, tmp_path, maquette):
    out = tmp_path / "out"
    words = ["--prompt", "a red cow", "--front", "-z", "--preset", "draft", "--texture-size", 512]
    done = maquette("paint", data / "meshes" / "spot_triangulated.obj", "--out", out, *words)
    assert done.returncode == 0, done.stderr
    assert_well_painted(out, "red")
    result = painted.Painted(out)

    # and the measures can fail: another colour, a texture of another mesh, a hole
    assert painted.share(result.surface(), "blue") < 0.1
    result.texture = np.ascontiguousarray(result.texture[::-1])
    charts = np.indices(result.texture.shape[:2]).sum(0) // 32 % 2
    result.texture[charts == 1] = 0
    assert (result.seen() == 0).all(1).mean() > 0.2
    assert result.seam_step() > 1.5
