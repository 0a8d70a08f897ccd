"""`maquette paint` as a user runs it: the real method and the embedded model, in a process of its own."""

import json
import struct
from pathlib import Path

from maquette_server import config

OUTPUTS = {"texture.png", "mesh.glb", "preview.png", "report.json"}
REPORT = {
    "method",
    "preset",
    "seed",
    "device",
    "backends",
    "versions",
    "seconds",
    "memory",
    "figures",
    "warnings",
}


def size_of_png(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_spot_is_painted_from_a_prompt(data: Path, maquette, tmp_path: Path) -> None:
    mesh = data / "meshes" / "spot_triangulated.obj"
    words = ["--prompt", "a red dragon", "--out", "out", "--preset", "draft", "--steps", "40"]
    done = maquette("paint", mesh, *words, "--texture-size", "512", "--device", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} == OUTPUTS | {"mesh.obj", "mesh.mtl"}
    assert size_of_png(out / "texture.png") == (512, 512)
    assert (out / "mesh.glb").read_bytes()[:4] == b"glTF"
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert set(report) >= REPORT
    assert report["device"].startswith("cpu")
    assert report["models"] == {"text_to_image": "pocket"}
    pocket = config.describe("pocket", config.models_of(config.Config())["pocket"])
    assert report["model_digests"] == {"text_to_image": pocket.digest}
    assert len(pocket.digest) == 64
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["event"] == "result"
    assert any(e["event"] == "progress" and e["total"] >= 40 for e in events)
    assert "demonstration model" in done.stderr
    lines = (out / "mesh.obj").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("f ") for line in lines) == report["figures"]["faces"]


def test_a_prompt_the_model_cannot_take_in_full_is_painted_with_warnings(maquette, tmp_path: Path) -> None:
    prompt = " ".join(["zxqv wbrkl", *["a red ball"] * 100])
    (tmp_path / "box.off").write_text(
        "OFF\n4 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 1 2 3\n3 0 3 2\n", encoding="utf-8"
    )
    done = maquette(
        "paint", "box.off", "--prompt", prompt, "--out", "out", "--steps", "3", "--texture-size", "64"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert {"prompt.unknown", "prompt.cut"} <= {warning["code"] for warning in report["warnings"]}
    assert not (tmp_path / "out" / "mesh.obj").exists()
