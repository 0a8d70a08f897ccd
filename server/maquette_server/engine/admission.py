"""What is refused before it is queued: unknown methods, bad settings, wrong or missing inputs, models that
are not there.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from maquette_wire import arrays, messages
from maquette_wire.errors import UserError

from .. import config
from ..methods import base
from . import blobs, journal

MAX_PARAMS = 64 * 1024  # bytes, encoded


def check(
    request: messages.Submit,
    methods: Mapping[str, base.Method],
    models: Mapping[str, config.ModelEntry],
    defaults: Mapping[str, str],
    store: blobs.BlobStore,
) -> dict[str, journal.Model]:
    """Gives the models that the job will load, by kind. defaults: names of models, by kind.

    Raises UserError `method.unknown`, `params.bad`, `input.bad`, `scene.unknown`, `blob.*`, `model.*`."""
    method = method_of(request.method, methods)
    if len(msgspec.msgpack.encode(request.params)) > MAX_PARAMS:
        raise UserError("params.bad", "The settings are longer than a list of jobs can show.")
    method.read_params(request.params)
    roles = [role_of(item) for item in request.inputs]
    for role in sorted(method.needs - set(roles)):
        raise UserError("input.bad", f"The method {method.name} needs a {role}.", hint=f"Give it a {role}.")
    for role in roles:
        if role not in method.needs | method.optional:
            raise UserError("input.bad", f"The method {method.name} takes no {role}.", hint="Leave it out.")
        if roles.count(role) > 1:
            raise UserError("input.bad", f"There is more than one {role} where one is taken.")
    for item in request.inputs:
        if isinstance(item, messages.SceneInput) and not item.files:
            raise UserError("scene.unknown", f"There is no scene '{item.scene or ''}'.")
    for ref in references(request.inputs):
        expected = arrays.byte_count(ref.dtype, ref.shape) if isinstance(ref, arrays.ArrayRef) else ref.size
        if store.size(ref.digest) != expected:
            raise UserError("blob.bad", f"The file {ref.digest[:12]} has another size than was said.")
    names = models_for(method, request.model, models, defaults)
    for name in names.values():
        config.check_model(name, models[name])
    return with_digests(names, models)


def with_scenes(
    request: messages.Submit, results: Callable[[str], tuple[messages.ResultItem, ...]]
) -> messages.Submit:
    """The request with the files of the scenes that it names by the job that made them.

    results: of a job's id; empty when there is none. The request keeps the files, whatever becomes of the
    job.
    Raises UserError `scene.unknown`.
    """
    inputs = []
    for item in request.inputs:
        if isinstance(item, messages.SceneInput) and item.scene is not None:
            made = [one for one in results(item.scene) if one.role == "scene"]
            if item.files or not made:
                raise UserError("scene.unknown", f"There is no scene '{item.scene}'.")
            files = tuple(
                messages.SceneFile(path=one.name, file=messages.BlobRef(digest=one.digest, size=one.size))
                for one in made
            )
            item = msgspec.structs.replace(item, scene=None, files=files)
        inputs.append(item)
    return msgspec.structs.replace(request, inputs=tuple(inputs))


def same(known: messages.Submit, request: messages.Submit) -> bool:
    """Whether a request is one that is known, whose scenes have been replaced by their files."""
    named = any(isinstance(item, messages.SceneInput) and item.scene is not None for item in request.inputs)
    return known == (msgspec.structs.replace(request, inputs=known.inputs) if named else request)


def with_digests(
    names: Mapping[str, str], models: Mapping[str, config.ModelEntry]
) -> dict[str, journal.Model]:
    """The models of these names, by kind, as they are on the disk now. Raises UserError `model.not_found`."""
    for name in names.values():
        _require(name, models)
    return {
        kind: journal.Model(name, config.describe(name, models[name]).digest) for kind, name in names.items()
    }


def method_of(name: str, methods: Mapping[str, base.Method]) -> base.Method:
    """The method. Raises UserError `method.unknown`."""
    if name not in methods:
        raise UserError(
            "method.unknown",
            f"There is no method '{name}'.",
            hint=f"There are: {', '.join(sorted(methods))}.",
        )
    return methods[name]


def models_for(
    method: base.Method,
    wanted: str,
    models: Mapping[str, config.ModelEntry],
    defaults: Mapping[str, str],
) -> dict[str, str]:
    """Name of the model of each kind the method loads. `wanted` serves its own kind; "" takes the default.
    defaults: names by kind.

    Raises UserError `model.not_found`, `model.shape`.
    """
    for name in filter(None, (wanted, *(defaults.get(kind, "") for kind in method.models))):
        _require(name, models)
    if wanted and method.models and models[wanted].kind not in method.models:
        raise UserError(
            "model.shape",
            f"The model '{wanted}' is of the kind {models[wanted].kind}, {method.name} needs"
            f" {' and '.join(method.models)}.",
            hint="Choose another model.",
        )
    chosen = {}
    for kind in method.models:
        named = (wanted, defaults.get(kind, ""))
        preferred = [name for name in named if name and models[name].kind == kind]
        others = sorted(name for name, entry in models.items() if entry.kind == kind)
        if not preferred + others:
            raise UserError(
                "model.not_found", f"There is no model of the kind {kind}, which {method.name} needs."
            )
        chosen[kind] = (preferred + others)[0]
    return chosen


def _require(name: str, models: Mapping[str, config.ModelEntry]) -> None:
    if name not in models:
        raise UserError(
            "model.not_found",
            f"There is no model '{name}'.",
            hint=f"There are: {', '.join(sorted(models))}.",
        )


def role_of(item: messages.Input) -> str:
    """The role of an input, such as "mesh"."""
    return str(item.__struct_config__.tag)


def references(value: Any) -> Iterator[messages.BlobRef | arrays.ArrayRef]:
    """Every blob that inputs name, at any depth."""
    if isinstance(value, messages.BlobRef | arrays.ArrayRef):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from references(getattr(value, name))
    elif isinstance(value, tuple):
        for part in value:
            yield from references(part)
