"""A method in the place of Latent-Paint that takes milliseconds: for what the command line does around a job.

`install` writes it as a package into a folder and names it in a configuration; `start` and `wait_for_step`
are for commands that something happens to on their way. The prompt may hold
`crash` (the process ends), `bug` (an exception of ours) or `refuse` (a user's error).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

METHOD_PACKAGE = "standin_methods"

_HEAD = """
import dataclasses
from maquette_server.methods import latent_paint
METHOD = dataclasses.replace(latent_paint.METHOD, models=())
"""

_RUN = """
import os, time, zlib, struct
import numpy as np
from maquette_server.methods import base
from maquette_wire.errors import UserError

def png(side, value):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\\0" + bytes([value % 256] * 3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\\x89PNG\\r\\n\\x1a\\n" + body

def run(ctx):
    words = ctx.params.prompt.split()
    if "refuse" in words:
        raise UserError("mesh.unwrap", "No UV map could be made.", hint="Unwrap it yourself.")
    if "bug" in words:
        raise ValueError("a bug")
    if "crash" in words:
        os._exit(3)
    mesh = ctx.inputs["mesh"]
    triangles = ctx.array(mesh.triangles)
    start = int(ctx.state.values["step"]) if ctx.state else 0
    total = ctx.params.steps or 5
    ctx.warn("prompt.unknown", "The model does not know the word.")
    for step in range(start, total):
        time.sleep(0.02)
        state = lambda step=step: base.State({}, {"step": step + 1})
        if (yield base.Step(step + 1, total, "paint", {"sds": 0.5}, state=state)):
            break
    if mesh.loop_count:
        uv = np.zeros((mesh.loop_count, 2), np.float32)
        uv[ctx.array(mesh.triangle_loops).reshape(-1)] = np.random.default_rng(0).random(
            (triangles.size, 2), np.float32)
    else:
        uv = np.zeros((*triangles.shape, 2), np.float32)
    items = [
        base.Item("texture", "texture.png", png(8, ctx.seed)),
        base.Item("uv", "uv", uv),
        base.Item("mesh", "mesh.glb", b"glTF"),
        base.Item("images", "preview.png", png(4, 1)),
    ]
    return base.Result(items, {"faces": len(triangles)}, promise="bit-equal")
"""


def install(packages: Path, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes the package below `packages`, for the processes that a test starts, and the configuration that
    uses it.
    """
    folder = packages / METHOD_PACKAGE / "latent_paint"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("", encoding="utf-8")
    (folder / "__init__.py").write_text(_HEAD, encoding="utf-8")
    (folder / "run.py").write_text(_RUN, encoding="utf-8")
    data_folder.mkdir(parents=True, exist_ok=True)
    settings = {"method_packages": [METHOD_PACKAGE], "checkpoint_seconds": 0.1}
    (data_folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    paths = [str(packages), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def start(*words: object, cwd: Path) -> "subprocess.Popen[str]":
    """The command line as a process that is not waited for."""
    return subprocess.Popen(
        [sys.executable, "-m", "maquette_server.cli", *map(str, words)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def wait_for_step(process: "subprocess.Popen[str]", least: int) -> str:
    """Reads progress lines up to that step; returns the job's id."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "progress" and event["step"] >= least:
            return str(event["job"])
    raise AssertionError("the job ended before that step")
