"""The operators in real Blenders, over a real socket, against a server that does what the prompt says."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maquette_wire import arrays, messages

from blender_addon import png
from tests.addon import fake_server

pytestmark = pytest.mark.blender
LIMIT = 300.0


class ObedientServer(fake_server.FakeServer):
    """Jobs go as their prompts say: quick, broken, slow."""

    def on_submit(self, message: messages.Submit) -> messages.Message:
        answer = super().on_submit(message)
        assert isinstance(answer, messages.Accepted)
        assert answer.job is not None
        job = answer.job.job_id
        self.requests[job] = message
        prompt = message.params["prompt"]
        self.tell(job, messages.StateBody(state="running", attempt=1))
        self.tell(job, messages.WarningBody(code="prompt.cut", sentence="A warning of the server."))
        if prompt == "quick":
            self.finish(job)
        elif prompt == "broken":
            self.end(job, "failed")
            fault = messages.Fault(code="job.failed", sentence="It broke.", hint="Mend it.")
            self.tell(job, messages.FailedBody(fault=fault))
        else:
            self.tell(job, messages.ProgressBody(step=3, total=10, stage="paint", seconds_left=65.0))
        return answer

    def on_control(self, message: messages.Control) -> None:
        if message.action == "cancel":
            self.end(message.job_id, "cancelled")
        else:
            self.finish(message.job_id)

    def on_follow(self, message: messages.Follow) -> None:
        job = message.job_id
        if job is None or message.preview is None or self.requests[job].params["prompt"] != "slow":
            return
        frame = np.full((8, 8, 4), 255, np.uint8)
        seen = arrays.FrameArray(dtype="u1", shape=frame.shape)
        body = messages.SnapshotBody(step=3, items=(self.uvs(job),), preview=seen)
        self.tell(job, body, [frame.tobytes()])

    def uvs(self, job: str) -> messages.ResultItem:
        mesh = next(i for i in self.requests[job].inputs if isinstance(i, messages.MeshInput))
        assert mesh.corner_uvs is not None
        assert mesh.triangle_loops is not None
        uvs = np.zeros((mesh.loop_count, 2), np.float32)
        uvs[self.array(mesh.triangle_loops)] = self.array(mesh.corner_uvs)
        return self.keep("uv", "uv.bin", uvs.tobytes(), "f4", uvs.shape)

    def finish(self, job: str) -> None:
        picture = np.full((64, 64, 4), 255, np.uint8)
        picture[0, 0, 0] = len(self.jobs)  # no two are the same
        items = (self.keep("texture", "texture.png", png.encode(picture)), self.uvs(job))
        self.tell(job, messages.ResultBody(items=items, report={"figures": {"texels": 1}}))
        self.end(job, "succeeded")

    def end(self, job: str, state: Any) -> None:
        self.tell(job, messages.StateBody(state=state, attempt=1))
        info = self.jobs[job]
        self.jobs[job] = messages.JobInfo(
            job_id=job, method=info.method, label=info.label, state=state, attempt=1, created_ms=0
        )

    def array(self, ref: arrays.ArrayRef) -> Any:
        return arrays.from_bytes(ref.dtype, ref.shape, bytes(self.blobs[ref.digest]))


def test_what_is_stated_about_the_operators_holds(start: Any, tmp_path: Path) -> None:
    server = ObedientServer()
    runtime = tmp_path / "runtime"
    (runtime / "maquette").mkdir(parents=True, mode=0o700)
    token = {"token": server.token, "pid": 0, "data_folder": ""}
    (runtime / "maquette" / f"{server.port}.json").write_text(json.dumps(token), encoding="utf-8")
    process = start("painting.py", MAQUETTE_TEST_PORT=str(server.port), XDG_RUNTIME_DIR=str(runtime))
    until = time.monotonic() + LIMIT
    try:
        while process.poll() is None and time.monotonic() < until:
            server.turn()
            server.socket.poll(10)
    finally:
        process.kill()
        process.wait()
        server.close()
    output = (tmp_path / "output.txt").read_text(encoding="utf-8")
    assert process.returncode == 0, output[-8000:]
