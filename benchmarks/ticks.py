"""How long the extension holds Blender: the button Paint, the timer's ticks, the button Apply.

In the bpy modules of `.venv-blender`, each in a process of its own, against a stand-in server here: grids of
100,000 to a million quads are collected, uploaded, shown in previews of 512 px and painted with a 2048 px
texture; one of them through a mask, with a 4096 px texture that was drawn in Blender and has no file. A
*tick* is one call of the timer; drawing is Blender's own time and not in it. A tick that takes longer than it
computes has waited for other work on this machine.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from maquette_wire import arrays, messages

from benchmarks import frame
from blender_addon import png
from tests.addon import fake_server

TITLE = "How long Blender is held while painting"
VERSIONS = ("4.2", "5.0")
FACES = (100_000, 500_000, 1_000_000)
MASKED = (100_000, 4096)  # faces, and pixels along an edge of the texture that a mask keeps
TICK = 16.0  # ms
PRESSED = 100.0  # ms, up to 100,000 faces
SNAPSHOT_EVERY = 0.25  # s
PATIENCE = 300.0  # s
PARTS = {"collect": "collect and upload", "preview": "previews", "fetch": "fetch the result"}
INSIDE = Path(__file__).parent / "inside" / "ticks.py"


class Server(fake_server.FakeServer):
    """Takes one job, sends previews with progress, and ends with a result when it is told to stop."""

    def on_submit(self, message: messages.Submit) -> messages.Message:
        answer = super().on_submit(message)
        self.job = next(iter(self.jobs))
        mesh = next(i for i in message.inputs if isinstance(i, messages.MeshInput))
        loops, uvs = mesh.triangle_loops, mesh.corner_uvs
        assert loops is not None
        assert uvs is not None
        whole = np.zeros((mesh.loop_count, 2), np.float32)
        whole[self.array(loops)] = self.array(uvs)
        self.uvs = self.keep("uv", "uv.bin", whole.tobytes(), "f4", whole.shape)
        self.tell(self.job, messages.StateBody(state="running", attempt=1))
        return answer

    def on_control(self, message: messages.Control) -> None:
        chance = np.random.default_rng(0)
        picture = chance.integers(0, 256, (2048, 2048, 4), dtype=np.uint8)
        texture = self.keep("texture", "texture.png", png.encode(picture))
        self.tell(self.job, messages.ResultBody(items=(texture, self.uvs), report={}))
        self.tell(self.job, messages.StateBody(state="succeeded", attempt=1))

    def snapshot(self, step: int) -> None:
        """A preview, and how far the job is."""
        picture = np.full((512, 512, 4), step % 256, np.uint8)
        seen = arrays.FrameArray(dtype="u1", shape=picture.shape)
        body = messages.SnapshotBody(step=step, items=(self.uvs,), preview=seen)
        self.tell(self.job, body, [picture.tobytes()])
        self.tell(self.job, messages.ProgressBody(step=step, total=10_000, stage="paint"))

    def array(self, ref: arrays.ArrayRef) -> Any:
        return arrays.from_bytes(ref.dtype, ref.shape, bytes(self.blobs[ref.digest]))


def build(folder: Path) -> Path:
    """The extension as it is installed."""
    spec = importlib.util.spec_from_file_location("build_addon", frame.ROOT / "build_addon.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_addon"] = module
    spec.loader.exec_module(module)
    path = folder / "maquette.zip"
    if module.main(["--output", str(path)]) != 0:
        raise RuntimeError("the extension could not be built")
    return path


def child(python: Path, archive: Path, faces: int, texture: int, folder: Path) -> dict[str, Any]:
    """What `inside/ticks.py` measured in one Blender."""
    server, out = Server(), folder / "out.json"
    runtime = folder / "run" / "maquette"
    runtime.mkdir(parents=True, mode=0o700)
    token = {"token": server.token, "pid": 0, "data_folder": ""}
    (runtime / f"{server.port}.json").write_text(json.dumps(token), encoding="utf-8")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    process = subprocess.Popen(
        [str(python), str(INSIDE), str(archive), str(faces), str(texture), str(out)],
        env={
            **inherited,
            "BLENDER_USER_RESOURCES": str(folder / "profile"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "MAQUETTE_BENCH_PORT": str(server.port),
        },
        stdout=subprocess.DEVNULL,
    )
    until, step, last = time.monotonic() + PATIENCE, 0, 0.0
    try:
        while process.poll() is None and time.monotonic() < until:
            server.turn()
            if server.follows and time.monotonic() - last > SNAPSHOT_EVERY:
                step, last = step + 1, time.monotonic()
                server.snapshot(step)
            server.socket.poll(5)
    finally:
        process.kill()
        process.wait()
        server.close()
    if process.returncode != 0:
        raise RuntimeError(f"Blender ended with {process.returncode}")
    return json.loads(out.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def run() -> list[frame.Figure | frame.Series]:
    """The longest tick of each part and the two buttons, in milliseconds."""
    figures: list[frame.Figure | frame.Series] = []
    tick = frame.Curves("Longest tick of Blender's timer against faces", "faces", "time", "ms")
    button = frame.Curves("Time a button holds Blender against faces", "faces", "time", "ms")
    with tempfile.TemporaryDirectory() as folder:
        archive = build(Path(folder))
        for version in VERSIONS:
            python = frame.ROOT / ".venv-blender" / version / "bin" / "python"
            if not python.exists():
                continue
            for faces, texture in (*((faces, 0) for faces in FACES), MASKED):
                taken = child(python, archive, faces, texture, Path(tempfile.mkdtemp(dir=folder)))
                masked = f", a mask and its {texture} px texture" if texture else ""
                goal = PRESSED if faces <= 100_000 and not texture else None
                figures += rows(f"Blender {version}, {faces:,} faces{masked}", taken, goal)
                if not texture:
                    for name, words in PARTS.items():
                        longest = max((wall for wall, _ in taken[name]), default=0.0)
                        tick.add(f"{version}: {words}", faces, [longest])
                    for name in ("paint", "apply"):
                        button.add(f"{version}: {name.capitalize()}", faces, [taken[name][0][0]])
    drawn = [curves.series() for curves in (tick, button)]
    return [*figures, *(series for series in drawn if series.lines)]


def rows(where: str, taken: dict[str, Any], goal: float | None) -> list[frame.Figure]:
    """The figures of one Blender and one mesh; `goal` is that of the buttons, in ms."""
    buttons = [
        frame.Figure(f"{where}: button {name.capitalize()}", taken[name][0][0], "ms", goal=goal)
        for name in ("paint", "apply")
    ]
    ticks = [
        frame.Figure(
            f"{where}: longest tick, {words}",
            max((wall for wall, _ in taken[name]), default=0.0),
            "ms",
            samples=1,
            goal=TICK,
            note=f"{len(taken[name])} ticks, none computes longer than "
            f"{max((computing for _, computing in taken[name]), default=0.0):.3g} ms",
        )
        for name, words in PARTS.items()
    ]
    return [buttons[0], *ticks, buttons[1]]
