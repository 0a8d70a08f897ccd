"""See the head."""

from maquette_server.methods import base


def run(ctx: base.RunContext) -> base.Run:
    """Counts nothing while it prepares, counts to the end, and stays there."""
    pauses = ctx.params.pauses
    for _ in range(pauses):
        yield base.Step(0, 0, "prepare")
    for step in range(pauses):
        yield base.Step(step + 1, pauses, "paint")
    for _ in range(pauses):
        yield base.Step(pauses, pauses, "bake")
    return base.Result([], {})
