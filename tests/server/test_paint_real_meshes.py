"""What a person is promised of `maquette paint`: the named colour, no seams, nothing left unpainted."""

import json

import pytest

# Spot looks along -z in its file; the others have no face to speak of.
MESHES = {
    "spot_triangulated": ("cow", ("red", "green", "blue", "yellow"), ["--front", "-z"]),
    "blub": ("fish", ("orange", "purple", "pink", "cyan"), []),
    "teddy": ("teddy bear", ("blue", "pink", "brown", "yellow"), []),
    "potion": ("bottle", ("green", "red", "white", "black"), []),
}
CASES = [(mesh, colour) for mesh, (_, colours, _) in MESHES.items() for colour in colours]


@pytest.mark.slow
@pytest.mark.parametrize(("mesh", "colour"), CASES)
def test_a_painted_mesh_has_the_named_colour_and_no_seams(data, tmp_path, maquette, mesh, colour):
    noun, _, options = MESHES[mesh]
    out = tmp_path / "out"
    prompt = f"a {colour} {noun}"
    source = data / "meshes" / f"{mesh}.obj"
    done = maquette("paint", source, "--prompt", prompt, "--out", out, *options, timeout=600)
    assert done.returncode == 0, done.stderr
    figures = json.loads((out / "report.json").read_text(encoding="utf-8"))["figures"]
    assert figures["named_colour"][colour] > 0.5
    assert figures["seam_step"] <= 1.5
    assert figures["visible_unseen"] < 0.01
