"""What a method is: a record, a parameter struct and one generator function. Imports neither torch nor numpy.

A method is a folder `methods/<name>/`. Its `__init__.py` holds `METHOD` (this module's `Method`) and the
`Params`; its `run.py` holds `run(ctx)`, a generator that yields `Step` and returns `Result`:

    def run(ctx: RunContext) -> Run:
        for i in range(start, total):
            ...
            stop = yield Step(i + 1, total, "paint", {"sds": 0.1}, state=save, snapshot=draw)
            if stop:              # the user pressed "stop and keep": finish early, give what there is
                break
        return Result(items, figures)

Every yield is the place for cancelling (the generator is closed; `finally` frees memory), for serving views,
for checkpoints and for previews. A method never touches a file and never polls anything.
"""

import importlib
import pkgutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import msgspec
from maquette_wire.errors import UserError

_WORDS = {"int": "a whole number", "float": "a number", "str": "a text"}


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of a method's parameters: ranges in the types, unknown names refused."""


@dataclass(frozen=True)
class State:
    """All a method needs to go on from a step bit for bit: tensors (torch, by name) and JSON-able values."""

    tensors: dict[str, Any]
    values: dict[str, Any]


@dataclass(frozen=True)
class Item:
    """One thing a method gives: a file's bytes, a bare array (numpy), or a file that the job was given."""

    role: str
    name: str
    data: Any
    """bytes of a file, a numpy array of a wire dtype, or a path that `RunContext.path` or `keep` gave"""


@dataclass(frozen=True)
class Snapshot:
    """A result so far, in the type of the result, and a picture of it."""

    items: list[Item]
    preview: Any = None
    """numpy u8 [H, W, 4], row 0 top"""


@dataclass(frozen=True)
class Step:
    """One yield of a method. `state` and `snapshot` are called at once or never, before the generator goes
    on.
    """

    step: int
    total: int
    stage: str
    losses: Mapping[str, float] = field(default_factory=dict)
    state: Callable[[], State] | None = None
    snapshot: Callable[[int], Snapshot] | None = None
    """called with the longest side of the preview in pixels; the job waits for it, so it must be quick"""


@dataclass(frozen=True)
class Result:
    """What a method returns. `figures` and `promise` go into report.json."""

    items: list[Item]
    figures: dict[str, Any]
    backends: dict[str, str] = field(default_factory=dict)
    preset: str = ""
    promise: str = ""
    """which kind of exact resume held: "bit-equal" or "no step lost"."""


class Timer(Protocol):
    """Seconds by stage, kept by the worker."""

    def stage(self, name: str) -> None:
        """From now on time counts for this stage."""


@dataclass(frozen=True)
class RunContext:
    """Everything a method gets. Tests make one by hand."""

    params: Any
    """the method's own Params"""
    inputs: Mapping[str, Any]
    """by role: the input message; arrays and files are read with `array` and `file`"""
    array: Callable[[Any], Any]
    """ArrayRef -> numpy array (read-only)"""
    file: Callable[[Any], bytes]
    """BlobRef -> bytes"""
    seed: int
    device: str
    """torch device string"""
    model: Callable[[str], Any]
    """kind of model ("text_to_image", "instruct_edit") -> loaded model; kept by the worker between jobs"""
    warn: Callable[[str, str], None]
    """code, sentence"""
    timer: Timer
    state: State | None = None
    """the checkpoint to go on from"""
    path: Callable[[Any], Any] | None = None
    """BlobRef -> where the file lies (pathlib.Path), to be read and nothing else"""
    keep: Callable[[bytes], Any] | None = None
    """bytes -> a file of the job (pathlib.Path), named by its digest: what is too large for every checkpoint
    and is part of a later result; a checkpoint names it, an `Item` takes the path"""
    kept: Callable[[str], Any] | None = None
    """digest -> the file that an earlier attempt of the job kept. Raises UserError `checkpoint.damaged`"""


Run = Generator[Step, bool | None, Result]
T = TypeVar("T")
Part = Generator[Step, bool | None, T]
"""a piece of a `Run`, for `yield from`"""


def telling(work: Generator[None, None, T], step: Step) -> Part[T]:
    """Does work that pauses now and then, and yields `step` at each of its pauses."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            done: T = end.value
            return done
        yield step


@dataclass(frozen=True)
class Method:
    """The record of a method. `needs` and `optional` are input roles, `gives` result roles."""

    name: str
    params: type[Params]
    needs: frozenset[str]
    optional: frozenset[str]
    gives: frozenset[str]
    models: tuple[str, ...] = ()
    """kinds of model it loads"""
    further: tuple[str, ...] = ()
    """kinds of weights it uses when the configuration has them, such as "lpips"; `RunContext.model` raises
    UserError `model.not_found` when it has not"""
    package: str = "maquette_server.methods"
    """where its folder lies; `discover` sets it"""

    def load_run(self) -> Callable[[RunContext], Run]:
        """The generator function; imports the heavy libraries."""
        module = importlib.import_module(f"{self.package}.{self.name}.run")
        run: Callable[[RunContext], Run] = module.run
        return run

    def read_params(self, mapping: Mapping[str, Any]) -> Params:
        """The mapping as this method's Params. Raises UserError `params.bad` that names the field."""
        try:
            return msgspec.convert(dict(mapping), self.params)
        except msgspec.ValidationError as error:
            raise _refused(self.name, str(error)) from error


def _refused(method: str, said: str) -> UserError:
    """A setting that is not what the method's Params say, as a sentence."""
    said = said.replace(" | null", "")
    for type_name, words in _WORDS.items():
        said = said.replace(f"`{type_name}`", words)
    what, _, field_name = said.partition(" - at `$.")
    which = f"The setting '{field_name.rstrip('`')}' of {method}" if field_name else f"A setting of {method}"
    return UserError(
        "params.bad",
        f"{which} cannot be used: {what[:1].lower()}{what[1:].replace('`', chr(39))}.",
        hint="Give it another value, or leave it out for the default.",
    )


def discover(packages: Sequence[str] = ("maquette_server.methods",)) -> dict[str, Method]:
    """Every method by name: the folders of these packages. A broken one fails here, by name."""
    found = {}
    for name in packages:
        package = importlib.import_module(name)
        for entry in pkgutil.iter_modules(package.__path__):
            if entry.ispkg:
                method = importlib.import_module(f"{name}.{entry.name}").METHOD
                found[method.name] = replace(method, package=name)
    return found
