"""See the head."""

from maquette_server.methods import base
from maquette_wire.errors import UserError


def run(ctx: base.RunContext) -> base.Run:
    """One step, then the end."""
    yield base.Step(1, 2, "walk")
    if ctx.params.what == "user":
        raise UserError("mesh.empty", "The mesh 'Cube' has no faces.", hint="Give it some.")
    if ctx.params.what == "memory":
        raise MemoryError
    if ctx.params.what == "torch":
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
    raise ValueError("a fault of ours")
