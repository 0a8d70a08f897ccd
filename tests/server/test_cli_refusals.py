"""Bad input to `maquette paint`: status 2, one sentence, no traceback, and nothing left behind."""

import errno
import json
import os
from pathlib import Path

import pytest
from maquette_server.cli.app import app
from maquette_wire import errors
from typer.testing import CliRunner, Result

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


@pytest.fixture
def here(private_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.obj").write_text(TRIANGLE, encoding="utf-8")
    return tmp_path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


def refused(result: Result, code: str, *says: str) -> None:
    """One line on stderr with sentence and way out, status 2, and the same as the last line of JSON."""
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    last = json.loads(result.stdout.splitlines()[-1])
    assert last["event"] == "failed"
    assert last["code"] == code
    assert code in errors.CODES
    assert line == f"{last['sentence']} {last['hint']}".strip()
    for words in says:
        assert words in line


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if "home" not in p.parts}


MESHES: dict[str, tuple[str, bytes | None, str]] = {
    "no file": ("none.obj", None, "mesh.missing"),
    "a folder": (".", None, "mesh.bad"),
    "not a mesh": ("picture.png", b"\x89PNG", "mesh.bad"),
    "words": ("words.obj", b"hello world\n", "mesh.empty"),
    "an empty file": ("empty.obj", b"", "mesh.empty"),
    "no faces": ("points.obj", b"v 0 0 0\nv 1 0 0\n", "mesh.empty"),
    "NaN": ("nan.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "mesh.not_finite"),
    "infinite": ("inf.obj", b"v 1e300 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "mesh.not_finite"),
    "no area": ("line.obj", b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "mesh.degenerate"),
    "a face of nothing": ("face.obj", b"v 0 0 0\nf 1 2 3\n", "mesh.bad"),
    "a broken GLB": ("broken.glb", b"glTF\x02\0\0\0\xff\xff\xff\xff", "mesh.bad"),
    "a cut-off STL": ("cut.stl", b"\0" * 80 + b"\xff\xff\0\0", "mesh.bad"),
    "a PLY of lies": (
        "lies.ply",
        b"ply\nformat ascii 1.0\nelement vertex 9\nproperty float x\nend_header\n1\n",
        "mesh.bad",
    ),
    "an OFF of nothing": ("nothing.off", b"OFF\n", "mesh.bad"),
}


@pytest.mark.parametrize("what", MESHES)
def test_a_mesh_that_cannot_be_used_is_refused(here: Path, what: str) -> None:
    name, content, code = MESHES[what]
    if content is not None:
        (here / name).write_bytes(content)
    before = files(here)
    refused(run("paint", name, "--prompt", "x", "--out", "out", "--json"), code)
    assert files(here) == before


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--prompt", ""], "prompt.empty", "The prompt is empty."),
        (["--prompt", "  \n "], "prompt.empty", "The prompt is empty."),
        (["--prompt", "x", "--texture-size", "3"], "params.bad", "'texture_size'"),
        (["--prompt", "x", "--texture-size", "100000"], "params.bad", "a whole number <= 4096"),
        (["--prompt", "x", "--steps", "0"], "params.bad", "steps"),
        (["--prompt", "x", "--guidance", "-1"], "params.bad", "guidance_scale"),
        (["--prompt", "x", "--guidance", "nan"], "params.bad", ""),
        (["--prompt", "x", "--up", "w"], "params.bad", "--up"),
        (["--prompt", "x", "--up", "0,0,0"], "params.bad", "--up"),
        (["--prompt", "x", "--up", "z", "--front", "-z"], "params.bad", "same axis"),
        (["--prompt", "x", "--mask", "none.png"], "mask.bad", "none.png"),
        (["--prompt", "x", "--mask", "good.obj"], "mask.bad", "PNG"),
        (["--prompt", "x", "--texture", "good.obj"], "texture.bad", "JPEG"),
        (["--prompt", "x", "--model", "nobody"], "model.not_found", "pocket"),
        (["--prompt", "x", "--model", "good.obj"], "model.bad", "file"),
        (["--prompt", "x", "--model", "somebody/never-fetched"], "model.not_found", "maquette models fetch"),
        (["--prompt", "x", "--device", "toaster"], "device.unknown", "toaster"),
        (["--prompt", "x", "--device", "cuda:99"], "device.unknown", "cuda:99"),
        (["--prompt", "x", "--server", "nonsense:port"], "address.bad", "nonsense"),
        (["--prompt", "x", "--server", "192.0.2.1:5577"], "address.no_keys", "192.0.2.1"),
        (["--prompt", "x", "--server", ":5577", "--device", "cpu"], "params.bad", "--device"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused(
    here: Path, options: list[str], code: str, says: str
) -> None:
    before = files(here)
    refused(run("paint", "good.obj", "--out", "out", "--json", *options), code, says)
    assert files(here) == before


def model_folder(folder: Path, *, index: bool = True, weights: str = "model.safetensors") -> Path:
    folder.mkdir()
    if index:
        (folder / "model_index.json").write_text(
            '{"_class_name": "StableDiffusionPipeline"}', encoding="utf-8"
        )
    for part in ("unet", "vae", "text_encoder"):
        (folder / part).mkdir()
        if weights:
            (folder / part / weights).write_bytes(b"\0")
    return folder


@pytest.mark.parametrize(
    ("index", "weights", "code"),
    [
        (False, "model.safetensors", "model.bad"),
        (True, "", "model.incomplete"),
        (True, "pytorch_model.bin", "model.pickle"),
    ],
)
def test_a_model_folder_that_cannot_be_used_is_refused(
    here: Path, index: bool, weights: str, code: str
) -> None:
    model_folder(here / "model", index=index, weights=weights)
    before = files(here)
    refused(run("paint", "good.obj", "--prompt", "x", "--out", "out", "--model", "model", "--json"), code)
    assert files(here) == before


def test_an_output_that_is_a_file_is_refused(here: Path) -> None:
    (here / "out").write_text("mine", encoding="utf-8")
    for out in ("out", "out/deeper"):
        refused(run("paint", "good.obj", "--prompt", "x", "--out", out, "--json"), "output.unusable")
    assert (here / "out").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("out", ["n" * 300, "deep/" + "n" * 300 + "/er", "/".join(["n" * 100] * 45), ""])
@pytest.mark.parametrize("more", [[], ["--server", ":1"]], ids=["here", "server"])
def test_an_output_whose_name_cannot_be_used_is_refused(here: Path, out: str, more: list[str]) -> None:
    before = files(here)
    refused(run("paint", "good.obj", "--prompt", "x", "--out", out, "--json", *more), "output.unusable")
    assert files(here) == before
    watched = run("jobs", "watch", "0123456789ab", "--out", out, "--json", *more)
    refused(watched, "output.unusable")


def test_a_name_that_is_only_just_too_long_for_the_private_folder_is_refused(here: Path) -> None:
    out = "/".join(["n" * 100] * 45)[: 4090 - len(str(here))]
    refused(run("paint", "good.obj", "--prompt", "x", "--out", out, "--json"), "output.unusable")
    assert files(here) == {"good.obj"}


def test_an_output_below_a_folder_that_may_not_be_read_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists = Path.exists

    def forbidden(path: Path, **options: bool) -> bool:
        if "closed" in path.parent.parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return exists(path, **options)

    (here / "closed").mkdir()
    monkeypatch.setattr(Path, "exists", forbidden)
    refused(run("paint", "good.obj", "--prompt", "x", "--out", "closed/out", "--json"), "output.unusable")
    monkeypatch.undo()
    assert files(here) == {"good.obj", "closed"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_may_not_be_written_is_refused(here: Path) -> None:
    (here / "locked").mkdir(mode=0o500)
    refused(run("paint", "good.obj", "--prompt", "x", "--out", "locked/out", "--json"), "output.unusable")


def test_nobody_at_the_address_is_said_within_seconds(here: Path, free_port: int) -> None:
    result = run("paint", "good.obj", "--prompt", "x", "--out", "out", "--json", "--server", f":{free_port}")
    refused(result, "address.no_answer", f"maquette serve --listen 127.0.0.1:{free_port}")


def test_a_misspelt_option_names_itself(here: Path) -> None:
    result = run("paint", "good.obj", "--prompt", "x", "--out", "out", "--promt", "y")
    assert result.exit_code == 2
    assert "--promt" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_configuration_that_cannot_be_read_is_named(here: Path, private_home: Path) -> None:
    place = private_home / "data" / "maquette" / "config.json"
    place.parent.mkdir(parents=True)
    place.write_text('{"default_modle": "x"}', encoding="utf-8")
    refused(run("paint", "good.obj", "--prompt", "x", "--out", "out", "--json"), "data.unusable", str(place))
