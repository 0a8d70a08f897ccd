"""See the head."""

import time
from typing import Any

import numpy as np
from maquette_server.methods import base


def run(ctx: base.RunContext) -> base.Run:
    """Yields once a step; stops early when told to."""
    params = ctx.params
    print("this must not reach the front")
    accumulator = _Numpy(ctx) if params.framework == "numpy" else _Torch(ctx)
    ctx.timer.stage("count")

    def snapshot(max_px: int) -> base.Snapshot:
        side = params.preview  # bigger than asked for, so that the front has to scale
        item = base.Item("texture", "sum.bin", accumulator.result() + bytes(params.size))
        return base.Snapshot([item], np.full((side, side, 4), accumulator.step % 256, np.uint8))

    step = accumulator.step
    kept = False
    while step < params.steps and not kept:
        time.sleep(params.seconds)
        accumulator.add()
        step += 1
        accumulator.step = step

        kept = bool(
            (
                yield base.Step(
                    step,
                    params.steps,
                    "count",
                    {"sum": 1.0},
                    state=accumulator.state,
                    snapshot=snapshot if params.preview else None,
                )
            )
        )
    if params.label:
        ctx.warn("counter.label", params.label)
    item = base.Item("texture", "sum.bin", accumulator.result())
    array = base.Item("uv", "steps", np.array([[step, params.steps]], np.int32))
    return base.Result([item, array], {"steps": step}, {"adder": params.framework}, "standard", "bit-equal")


class _Numpy:
    def __init__(self, ctx: base.RunContext) -> None:
        self.random = np.random.default_rng(ctx.seed)
        self.total = np.zeros(16)
        self.step = 0
        if ctx.state is not None:
            self.total = ctx.state.tensors["total"].copy()
            self.random.bit_generator.state = ctx.state.values["random"]
            self.step = ctx.state.values["step"]

    def add(self) -> None:
        self.total = np.sin(self.total + self.random.normal(size=16))

    def state(self) -> base.State:
        values: dict[str, Any] = {"random": self.random.bit_generator.state, "step": self.step}
        return base.State({"total": self.total}, values)

    def result(self) -> bytes:
        return self.total.tobytes()


class _Torch:
    def __init__(self, ctx: base.RunContext) -> None:
        import torch

        self.random = torch.Generator().manual_seed(ctx.seed)
        self.total = torch.zeros(16)
        self.step = 0
        if ctx.state is not None:
            self.total = ctx.state.tensors["total"].clone()
            self.random.set_state(ctx.state.tensors["random"])
            self.step = ctx.state.values["step"]

    def add(self) -> None:
        import torch

        self.total = torch.sin(self.total + torch.randn(16, generator=self.random))

    def state(self) -> base.State:
        tensors = {"total": self.total, "same": self.total, "random": self.random.get_state()}
        return base.State(tensors, {"step": self.step})

    def result(self) -> bytes:
        return self.total.numpy().tobytes()
