"""How long the front half takes to be imported, in fresh processes; it fails if torch comes along."""

import subprocess
import sys

from benchmarks import frame

TITLE = "Importing the front half of the server"
RUNS = 11

PROGRAM = """
import sys, time
start = time.perf_counter()
import maquette_server.cli, maquette_server.service, maquette_server.transport
from maquette_server.engine import engine
from maquette_server.methods import base
base.discover()
seconds = time.perf_counter() - start
heavy = {"torch", "diffusers", "transformers", "trimesh"} & set(sys.modules)
if heavy:
    sys.exit(f"the front half loads {sorted(heavy)}")
print(seconds)
"""


def run() -> list[frame.Figure]:
    """Seconds of the import; the first, which fills the caches of the disk, is not counted."""
    taken = []
    for _ in range(RUNS + 1):
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        taken.append(float(done.stdout))
    return [frame.median("import, no torch", "s", taken[1:], goal=0.5)]
