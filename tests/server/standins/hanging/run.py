"""See the head."""

import time

import numpy as np
from maquette_server.methods import base


def run(ctx: base.RunContext) -> base.Run:
    """Never returns."""
    for step in range(1, ctx.params.steps + 1):
        time.sleep(0.15)
        picture = np.zeros((32, 32, 4), np.uint8)
        snapshot = base.Snapshot([base.Item("texture", "so_far.bin", bytes([step]))], picture)
        offered = (lambda max_px, it=snapshot: it) if ctx.params.snapshots else None
        yield base.Step(step, 1000, "hang", snapshot=offered)
    while True:
        time.sleep(1)
