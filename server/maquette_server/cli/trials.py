"""Trials of what works here, each in a process of its own (`maquette_server.worker.trials`)."""

import json
import os
import subprocess
import sys
from typing import Any

LIMIT = 120.0  # s; torch alone takes ten on a cold disk


def run(*words: str) -> dict[str, Any]:
    """What the trial found: at least `ok` and `text`. A process that dies or hangs is a finding too."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "maquette_server.worker.trials", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return {"ok": False, "text": f"did not answer within {LIMIT:.0f} s"}
    try:
        finding = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return {"ok": False, "text": f"ended with status {done.returncode}: {last[:200]}"}
    return finding if isinstance(finding, dict) else {"ok": False, "text": "gave no finding"}
