"""What a command asks for. What `paint` does, read and checked before anything is started: a Submit with
its blobs.

All of it is refused here that can be known without loading a model, as a UserError.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maquette_wire import arrays, messages
from maquette_wire.errors import UserError

from ..methods import latent_paint

if TYPE_CHECKING:
    from ..geometry import mesh as meshes

Vector = tuple[float, float, float]
_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
_MAX_IMAGE = 256 * 1024 * 1024  # bytes of a texture or mask file


@dataclass(frozen=True)
class Request:
    """One job, ready to be submitted. `blobs` by digest; `mesh_path`, if any, is for writing the mesh back as
    OBJ.
    """

    submit: messages.Submit
    blobs: dict[str, bytes]
    mesh_path: Path | None
    notes: tuple[str, ...]


def read(
    mesh_path: Path,
    params: dict[str, Any],
    *,
    request_id: str,
    texture: Path | None = None,
    mask: Path | None = None,
    up: str = "y",
    front: str = "z",
    seed: int = 0,
    model: str = "",
) -> Request:
    """Reads the mesh and the pictures and checks the parameters. Raises UserError."""
    checked = latent_paint.METHOD.read_params(
        {key: value for key, value in params.items() if value is not None}
    )
    upward_and_front = directions(up, front)
    blobs: dict[str, bytes] = {}
    inputs: list[messages.Input] = []
    if mask is not None:
        image = _image(mask, "mask.bad", ("PNG",), blobs)
        inputs.append(messages.MaskInput(image=image))
    if texture is not None:
        image = _image(texture, "texture.bad", ("PNG", "JPEG"), blobs)
        inputs.append(messages.TextureInput(image=image))

    from ..geometry import files

    mesh = files.load(mesh_path, *upward_and_front).mesh
    inputs.insert(0, mesh_input(mesh, blobs))
    submit = messages.Submit(
        request_id=request_id,
        method=latent_paint.METHOD.name,
        label=mesh.name,
        params={key: value for key, value in params.items() if value is not None},
        inputs=tuple(inputs),
        seed=seed,
        model=model,
    )
    del checked
    return Request(submit, blobs, mesh_path, mesh.notes)


def mesh_input(mesh: "meshes.Mesh", blobs: dict[str, bytes]) -> messages.MeshInput:
    """The mesh as a message; its arrays are put into `blobs`."""

    def keep(array: Any) -> arrays.ArrayRef | None:
        if array is None:
            return None
        dtype, shape, data = arrays.to_bytes(array)
        digest = arrays.digest_of(data)
        blobs[digest] = data
        return arrays.ArrayRef(dtype=dtype, shape=shape, digest=digest)

    positions, triangles = keep(mesh.positions), keep(mesh.triangles)
    assert positions is not None
    assert triangles is not None
    return messages.MeshInput(
        name=mesh.name,
        positions=positions,
        triangles=triangles,
        corner_uvs=keep(mesh.corner_uvs),
        corner_weights=keep(mesh.corner_weights),
        triangle_polygons=keep(mesh.triangle_polygons),
        triangle_loops=keep(mesh.triangle_loops),
        loop_count=mesh.loop_count,
        up=mesh.up,
        front=mesh.front,
        base_colour=mesh.base_colour,
    )


def direction(text: str, option: str) -> Vector:
    """A unit vector from `x`, `-z`, `+y` or three numbers `0,0.5,1`. Raises UserError `params.bad`."""
    word = text.strip().lower()
    axis = _AXES.get(word.lstrip("+-"))
    if axis is not None and len(word) <= 2:
        sign = -1.0 if word.startswith("-") else 1.0
        return (sign * axis[0], sign * axis[1], sign * axis[2])
    try:
        x, y, z = (float(part) for part in word.split(","))
    except ValueError:
        x = y = z = 0.0
    length = math.sqrt(x * x + y * y + z * z)
    if not math.isfinite(length) or length == 0:
        raise UserError(
            "params.bad",
            f"{text!r} is not a direction for {option}.",
            hint="Write an axis such as y or -z, or three numbers such as 0,0,1.",
        )
    return (x / length, y / length, z / length)


def directions(up: str, front: str) -> tuple[Vector, Vector]:
    """Two unit vectors from the options --up and --front; an empty front is z, or -y where up is along z.

    Raises UserError `params.bad`.
    """
    first = direction(up, "--up")
    front = front or ("z" if abs(first[2]) < 0.999 else "-y")
    second = direction(front, "--front")
    along = sum(a * b for a, b in zip(first, second, strict=True))
    if abs(along) > 0.999:
        raise UserError(
            "params.bad",
            f"--up {up} and --front {front} lie along the same axis.",
            hint="Choose two directions at a right angle.",
        )
    return first, second


def _image(path: Path, code: str, kinds: tuple[str, ...], blobs: dict[str, bytes]) -> messages.BlobRef:
    """The picture file as a blob, once it is clear that it is one."""
    import warnings

    from PIL import Image

    what = f"The {code.split('.')[0]} '{path}'"
    try:
        if path.stat().st_size > _MAX_IMAGE:
            raise UserError(code, f"{what} is too large a file.", hint="Use a smaller picture.")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            code, f"{what} cannot be read: {error.strerror}.", hint="Check the path and its spelling."
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=kinds) as image:
                image.verify()
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise UserError(
            code, f"{what} is not a picture that can be used.", hint=f"Use a {' or '.join(kinds)} file."
        ) from error
    digest = arrays.digest_of(data)
    blobs[digest] = data
    return messages.BlobRef(digest=digest, size=len(data))
