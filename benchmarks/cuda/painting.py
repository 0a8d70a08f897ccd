"""Painting on a GPU: texture lookups against the CPU's, a step, and every stage of a whole job."""

import torch
from maquette_server.rendering import texture

from benchmarks import frame, job, paint
from benchmarks.cuda.diffusion import Bench, compare, in_ms

LOOKUP_ERROR = 1e-4  # relative, of float32 sums in another order
PIXELS = 64 * 64
SIDE = 128  # texels


def lookups(bench: Bench) -> list[frame.Figure]:
    """Rendering a texture pyramid and the way back into its texels: against the CPU, and their time."""
    random = torch.Generator().manual_seed(0)
    uv, footprint = torch.rand(PIXELS, 2, generator=random), torch.rand(PIXELS, generator=random) * 8
    start, weights = torch.randn(4, SIDE, SIDE, generator=random), torch.randn(PIXELS, 4, generator=random)
    levels = texture.level_count(SIDE)
    found = {}
    for device in ("cpu", bench.sizes.device):
        seen = texture.lookup(
            uv.to(device),
            SIDE,
            filter="mip",
            border="repeat",
            texels_per_pixel=footprint.to(device),
            levels=levels,
        )
        texels, wanted = start.to(device).requires_grad_(), weights.to(device)

        def forth_and_back(
            texels: torch.Tensor = texels, seen: texture.Lookup = seen, wanted: torch.Tensor = wanted
        ) -> torch.Tensor:
            texels.grad = None
            rendered = seen.render(texture.pyramid(texels, levels))
            (rendered * wanted).sum().backward()
            bench.wait()
            return rendered

        rendered = forth_and_back().detach().cpu()
        assert texels.grad is not None
        found[device] = (rendered, texels.grad.cpu())
    first, last = found["cpu"], found[bench.sizes.device]
    taken = bench.clock.turns({"lookup": forth_and_back}, bench.sizes.repeats)["lookup"]
    return [
        compare("rendered texture, difference to the CPU", last[0], first[0], LOOKUP_ERROR),
        compare("gradient of its texels, difference to the CPU", last[1], first[1], LOOKUP_ERROR),
        frame.median(f"texture lookup and its way back, {PIXELS} pixels", "ms", in_ms(taken)),
    ]


def painting(bench: Bench) -> list[frame.Figure]:
    """A painting step against the bare network call, at the sizes of the model."""
    sizes = bench.sizes
    params = {"preset": "standard"}
    if sizes.cuda:
        torch.cuda.reset_peak_memory_stats()
    taken = paint.steps_and_calls(
        bench.model, params, sizes.device, sizes.steps, warm=max(2, sizes.steps // 8)
    )
    return [*paint.compared(taken), *memory(bench)]


def bake(bench: Bench) -> list[frame.Figure]:
    """Seconds of each stage of a short whole job, the bake among them."""
    sizes = bench.sizes
    watch = job.Stopwatch()
    params = {"prompt": paint.PROMPT, "steps": sizes.steps, "texture_size": sizes.texture}
    context = job.context(*job.sphere(), params, bench.model, sizes.device, watch)
    stages = job.METHOD.load_run()(context)
    try:
        while True:
            next(stages)
    except StopIteration as done:
        result = done.value
    bench.wait()
    watch.stage("end")
    assert {"texture", "uv", "mesh"} <= {item.role for item in result.items}
    return [
        frame.Figure(f"stage {name}", seconds, "s")
        for name, seconds in watch.seconds.items()
        if name not in ("", "end")
    ]


def memory(bench: Bench) -> list[frame.Figure]:
    """The most device memory in use at once while painting, with whatever the parts before still hold."""
    if not bench.sizes.cuda:
        return []
    return [frame.Figure("peak device memory while painting", torch.cuda.max_memory_allocated() / 1e9, "GB")]
