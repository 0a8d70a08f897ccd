"""The front process stays light: neither what it imports nor a job that it runs loads a heavy library."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import sys
from pathlib import Path
from maquette_server import config, service, transport
from maquette_server.engine import engine
from maquette_server.methods import base
from maquette_wire import messages

def heavy():
    return sorted({"torch", "diffusers", "transformers", "trimesh", "PIL", "scipy"} & set(sys.modules))

base.discover()
imported = heavy()
settings = config.Config(method_packages=("standins",))
jobs = engine.JobEngine(Path(sys.argv[1]), settings, devices=("cpu",))
job = jobs.submit(messages.Submit(request_id="a", method="counter", params={"framework": "torch"}))
while jobs.view(job.job_id).state not in messages.FINAL_STATES:
    jobs.pump(0.2)
state = jobs.view(job.job_id).state
jobs.close()
print(imported, heavy(), state)
"""


def test_the_front_half_never_loads_torch_even_when_a_job_does(tmp_path: Path) -> None:
    path = os.pathsep.join(map(str, (ROOT / "server", ROOT / "shared", ROOT / "tests" / "server")))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("[] [] succeeded", "")
