"""See the head."""

import errno
from pathlib import Path

import numpy as np
from maquette_server.methods import base


def run(ctx: base.RunContext) -> base.Run:
    """Five steps; the figures say where it began."""
    began = ctx.state.values["step"] if ctx.state else 0
    for step in range(began + 1, 6):
        if step == ctx.params.step and Path(ctx.params.while_exists).exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        state = base.State({"nothing": np.zeros(1)}, {"step": step})
        yield base.Step(step, 5, "walk", state=lambda it=state: it)
    return base.Result([], {"began": began})
