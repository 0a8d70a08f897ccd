"""Data sets and scenes of this machine as inputs of a job: messages, and the files that they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from maquette_wire import arrays, messages
from maquette_wire.errors import UserError

if TYPE_CHECKING:
    from ..cameras import paths
    from ..datasets.base import DataSet

MOST_BYTES = 4 << 30  # of all files of one job
LONGEST_DEPTH = 512  # pixels of the long side of depths: views are edited at less
Blobs = dict[str, bytes]


def data_set(dataset: "DataSet", blobs: Blobs) -> tuple[messages.Input, messages.Input]:
    """Cameras and pictures. A frame whose picture is missing is refused: `dataset.picture`."""
    cameras = messages.CamerasInput(
        cameras=tuple(
            messages.Camera(
                world_from_camera=_matrix(frame.world_from_camera),
                fl_x=frame.lens.focal_x,
                fl_y=frame.lens.focal_y,
                cx=frame.lens.centre_x,
                cy=frame.lens.centre_y,
                width=frame.lens.width,
                height=frame.lens.height,
                time=frame.time,
                name=frame.name,
                model=frame.lens.model,  # type: ignore[arg-type]
                distortion=frame.lens.distortion,
                split=frame.split,  # type: ignore[arg-type]
                loss_weight=frame.loss_weight,
            )
            for frame in dataset.frames
        ),
        name=dataset.folder.resolve().name,
        up=_vector(dataset.up),
        near=dataset.near,
        far=dataset.far,
        background=dataset.background,  # type: ignore[arg-type]
        low=None if dataset.aabb is None else _vector(dataset.aabb[0]),
        high=None if dataset.aabb is None else _vector(dataset.aabb[1]),
    )
    images = tuple(
        _kept(frame.image, f"The picture '{frame.name}'", "dataset.picture", blobs)
        for frame in dataset.frames
    )
    masks: tuple[messages.BlobRef | None, ...] = tuple(
        None
        if frame.mask is None
        else _kept(frame.mask, f"The mask of '{frame.name}'", "dataset.picture", blobs)
        for frame in dataset.frames
    )
    if all(mask is None for mask in masks):
        masks = ()
    return cameras, messages.ImagesInput(images=images, masks=masks)


def depths(dataset: "DataSet", blobs: Blobs) -> messages.DepthsInput | None:
    """What the frames have as depths, as fine as it is of use; None where none has any. Raises UserError
    `dataset.picture`, `image.bad`.
    """
    from ..datasets import depths as loading
    from ..datasets import reducing

    found: list[arrays.ArrayRef | None] = []
    for frame in dataset.frames:
        given = loading.load(frame)
        if given is not None:
            rows, columns = given.shape
            factor = min(1.0, LONGEST_DEPTH / max(rows, columns))
            given = reducing.nearest(given, max(1, round(columns * factor)), max(1, round(rows * factor)))
        found.append(None if given is None else _array(given, blobs))
    return messages.DepthsInput(depths=tuple(found)) if any(one is not None for one in found) else None


def scene(
    folder: Path, blobs: Blobs, pictures: bool, moment: int | None = None, beginning: bool = False
) -> messages.SceneInput:
    """The files of a scene's folder, with its pictures or without; of moments only the one that is asked for.

    beginning: with the weights of its first moment, to compare with. Raises UserError `scene.bad`.
    """
    from ..scenes.files import SceneFiles

    found = SceneFiles.of_folder(folder).at(moment)
    first = found.first_moment if beginning else None
    files = []
    for path, place in found.places.items():
        if path.startswith(("moments/", "edited/")) and path != first:
            continue
        if pictures or not path.startswith(("images/", "masks/", "depths/")):
            kept = _kept(place, f"'{path}' of the scene", "scene.bad", blobs)
            files.append(messages.SceneFile(path=path, file=kept))
    return messages.SceneInput(files=tuple(files))


def cameras(stops: "list[paths.Stop]") -> messages.CamerasInput:
    """The cameras of a path."""
    return messages.CamerasInput(
        cameras=tuple(
            messages.Camera(
                world_from_camera=_matrix(camera.world_from_camera),
                fl_x=camera.focal_x,
                fl_y=camera.focal_y,
                cx=camera.centre_x,
                cy=camera.centre_y,
                width=camera.width,
                height=camera.height,
                time=at,
            )
            for camera, at in stops
        )
    )


def _kept(place: Path, what: str, code: str, blobs: Blobs) -> messages.BlobRef:
    try:
        _check_room(place.stat().st_size, code, blobs)
        data = place.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(code, f"{what} cannot be read: {why}.", hint=f"Put the file at '{place}'.") from error
    digest = arrays.digest_of(data)
    blobs[digest] = data
    return messages.BlobRef(digest=digest, size=len(data))


def _array(values: Any, blobs: Blobs) -> arrays.ArrayRef:
    dtype, shape, data = arrays.to_bytes(values)
    _check_room(len(data), "dataset.picture", blobs)
    digest = arrays.digest_of(data)
    blobs[digest] = data
    return arrays.ArrayRef(dtype=dtype, shape=shape, digest=digest)


def _check_room(size: int, code: str, blobs: Blobs) -> None:
    if size + sum(map(len, blobs.values())) > MOST_BYTES:
        raise UserError(
            code,
            f"The files come to more than {MOST_BYTES >> 30} GiB.",
            hint="Use fewer or smaller pictures.",
        )


def _matrix(values: Any) -> messages.Matrix:
    rows: messages.Matrix = tuple(tuple(float(one) for one in row) for row in values)  # type: ignore[assignment]
    return rows


def _vector(values: Any) -> messages.Vector:
    x, y, z = (float(one) for one in values)
    return (x, y, z)
