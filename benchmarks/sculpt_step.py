"""A step of sculpting with the pocket model after a sketch of five solids, in three parts, on one thread.

*Guidance* is all that asks the diffusion model; *field* all that evaluates the field or goes back through it:
codes of samples, the light that ends rays, the looks at where anything is; *rest* is what remains of the
step: drawing views, marching, compositing, the sketch's loss, the optimisers. The floor of the guidance is
the bare call of the network on the same inputs. That of the field is for as many points the reading of as
many rows of the table (twice where a gradient goes back) and the bare matrix products of its network, forward
and back, into memory that is there already.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from maquette_server import config
from maquette_server.cameras import sampling
from maquette_server.fields import grid
from maquette_server.guidance import loading
from maquette_server.methods import base
from maquette_server.methods.latent_nerf import place as places
from maquette_server.methods.latent_nerf import sculpting
from maquette_server.methods.latent_nerf import settings as deciding
from maquette_server.training import latent_training
from torch import Tensor

from benchmarks import frame, job, mip_step, paint

TITLE = "A step of sculpting with the pocket model on a CPU"
PROMPT = "a red wooden robot"
WARM = 120  # steps: from 100 on rays end where their light does
STEPS = 100
FEW = 15
VIEWS = (1, 2, 4, 8)  # a step
TABLED = 4
REST_GOAL, FIELD_GOAL = 0.10, 1.3


def run() -> list[frame.Figure | frame.Series]:
    """The parts of a step, over views a step, and with the published grid."""
    torch.set_num_threads(1)
    model = loading.load(str(config.POCKET), "cpu", "text_to_image")
    curves = frame.Curves("Time of a sculpting step against its views", "views a step", "time", "ms")
    found: list[frame.Figure | frame.Series] = []
    for views in VIEWS:
        split = Split(task_of(model, "cpu", {"views_per_step": views}))
        taken = split.run(WARM, STEPS if views == TABLED else FEW)
        for name in ("guidance", "field", "rest"):
            curves.add(name, views, [1000 * one.parts[name] for one in taken])
        curves.add(
            "floor of guidance: bare network call", views, [1000 * one.call for one in taken], floor=True
        )
        curves.add(
            "floor of field: rows and products", views, [1000 * one.floor for one in taken], floor=True
        )
        if views == TABLED:
            found += figures(taken)
    return [*found, curves.series()]


def figures(taken: "Sequence[Taken]", call_goal: float | None = None) -> list[frame.Figure]:
    """Medians and shares of what `Split` took.  call_goal: of a step against the bare call."""
    whole = [one.whole for one in taken]
    rest = statistics.median(one.parts["rest"] for one in taken) / statistics.median(whole)
    return [
        frame.median("sculpting step", "ms", [1000 * value for value in whole]),
        *(
            frame.median(f"of it {name}", "ms", [1000 * one.parts[name] for one in taken])
            for name in ("guidance", "field", "rest")
        ),
        frame.Figure("rest / step", rest, "", samples=len(taken), goal=REST_GOAL, note="medians"),
        frame.ratio("field / floor", [(one.parts["field"], one.floor) for one in taken], goal=FIELD_GOAL),
        frame.ratio(
            "sculpting step / bare network call", [(one.whole, one.call) for one in taken], goal=call_goal
        ),
        frame.ratio("guidance / bare network call", [(one.parts["guidance"], one.call) for one in taken]),
        frame.median("samples of a step", "", [float(one.samples) for one in taken]),
    ]


def task_of(model: loading.TextToImage, device: str, params: dict[str, Any]) -> latent_training.LatentTask:
    """The first stage of a job, about to begin."""
    context = job.sculpting(job.figure(), {"prompt": PROMPT, **params}, model, device)
    chosen = deciding.resolve(context.params, model.described, torch.device(device).type)
    place = done(places.find(context))
    return done(sculpting.Growing(context, place, model, chosen, sampling.VIEW_WORDS).latents())


def done(part: base.Part[Any]) -> Any:
    """What a part of a job comes to."""
    try:
        while True:
            next(part)
    except StopIteration as end:
        return end.value


class Taken:
    """Seconds of one step."""

    def __init__(self) -> None:
        self.parts = {"guidance": 0.0, "field": 0.0, "rest": 0.0}
        self.whole = self.call = self.floor = 0.0
        self.samples = 0  # whose codes were made
        self.glanced = 0  # points whose density alone was


class Split:
    """A task whose parts are timed from outside: nothing in it is changed but for hooks."""

    def __init__(self, task: latent_training.LatentTask, wait: Callable[[], object] = lambda: None) -> None:
        """wait: until the device has done what it was given."""
        self.task, self._wait = task, wait
        self._now = Taken()
        self._back = 0.0  # when the gradient came to the codes; 0 when it has not
        self._watch_field()
        guided = task._distilling
        object.__setattr__(guided, "gradient", self._timed("guidance", guided.gradient))

    def run(self, warm: int, count: int) -> list[Taken]:
        """Steps after `warm` others, each followed by its floors."""
        network = self.task._distilling._guidance.denoiser.unet
        found = []
        with paint.captured(network) as newest, self._watch_compiled():
            for number in range(warm + count):
                self._now = now = Taken()
                now.whole = frame.seconds(lambda number=number: self._whole(number))
                now.parts["rest"] = now.whole - now.parts["guidance"] - now.parts["field"]
                if number < warm:
                    continue
                with torch.no_grad():
                    now.call = frame.seconds(lambda: self._bare(network, newest))
                now.floor = floor(self.task.field, now.samples, now.glanced, self._wait)
                found.append(now)
        return found

    def _whole(self, number: int) -> None:
        self.task.advance(number)
        self._wait()

    def _bare(self, network: torch.nn.Module, newest: dict[str, Any]) -> None:
        network(*newest["given"], **newest["named"])
        self._wait()

    def _time(self) -> float:
        self._wait()
        return time.perf_counter()

    def _timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            start = self._time()
            found = call(*given, **named)
            self._now.parts[part] += self._time() - start
            return found

        return timed

    def _watch_field(self) -> None:
        field = self.task.field
        code, density_at = self._timed("field", field.code), self._timed("field", field.density_at)

        def coded(points: Tensor, spreads: Tensor) -> Tensor:
            found: Tensor = code(points, spreads)
            if found.requires_grad:
                self._now.samples += len(points)
                found.register_hook(self._begin_back)
            else:
                self._now.glanced += len(points)
            return found

        def dense(points: Tensor, spread: float = 0.0) -> Tensor:
            self._now.glanced += len(points)
            found: Tensor = density_at(points, spread)
            return found

        object.__setattr__(field, "code", coded)
        object.__setattr__(field, "density_at", dense)
        for parameter in (field.grid.table, *field.density.parameters()):
            parameter.register_post_accumulate_grad_hook(self._end_back)

    def _begin_back(self, gradient: Tensor) -> None:
        self._back = self._time()

    def _end_back(self, parameter: Tensor) -> None:
        now = self._time()
        self._now.parts["field"] += now - self._back
        self._back = now

    @contextmanager
    def _watch_compiled(self) -> Iterator[None]:
        """While it lasts: what ends rays on a CPU is compiled, and asks the field without its methods."""
        from maquette_server.rendering import march_kernels

        kernel = march_kernels.count_lit
        timed = self._timed("field", kernel)

        def counted(*given: Any) -> None:
            timed(*given)
            self._now.glanced += int(given[-1].sum())

        march_kernels.count_lit = counted
        try:
            yield
        finally:
            march_kernels.count_lit = kernel


def floor(
    field: grid.GridField, samples: int, glanced: int, wait: Callable[[], object] = lambda: None
) -> float:
    """Seconds of the reading and the products alone: of `samples` points forward and back, of `glanced` ones
    forward.
    """
    table = field.grid.table.detach()
    sizes = [tuple(reversed(weight.shape)) for weight in field.density.weights]  # inputs, outputs
    device, dtype = table.device, table.dtype
    whole = [(before, after, before) for before, after in sizes]
    once = mip_step.block_products(max(1, samples), whole, device, dtype)
    ahead = [
        mip_step.product(torch.rand(glanced, before, device=device), torch.rand(before, after, device=device))
        for before, after in [*sizes[:-1], (sizes[-1][0], 1)]
    ]
    rows = [
        torch.randint(level.rows.start, level.rows.stop, ((2 * samples + glanced) * 8,), device=device)
        for level in field.settings.grid.table
    ]

    def bare() -> None:
        for index in rows:
            table.index_select(0, index)
        for action in (*once, *ahead):
            action()
        wait()

    bare()  # memory that was never touched is slow
    wait()
    return frame.seconds(bare)
