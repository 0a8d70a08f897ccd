"""Where cameras of other programs stand, in ours: names say both ends of a conversion.

Ours is world_from_camera [4, 4] with OpenGL camera axes: x right, y up, looking along -z. World coordinates
are never changed here. Others:

- OpenCV and COLMAP: x right, y down, looking along +z.
- LLFF: columns (down, right, backwards).
"""

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

UNTOUCHED = 1e-6  # an error of the rotation below this (float32 rounding) is left as it stands
LARGEST = 1e30  # numbers beyond this overflow when they are multiplied: as good as infinite
TOLERATED = 1e-3  # up to this it is mended
_FLIP = np.array([1.0, -1.0, -1.0, 1.0])


def opengl_from_opencv(world_from_camera: Floats) -> Floats:
    """The same cameras [..., 4, 4] with OpenGL axes instead of OpenCV's."""
    return world_from_camera * _FLIP


def opencv_from_opengl(world_from_camera: Floats) -> Floats:
    """The same cameras [..., 4, 4] with OpenCV axes instead of OpenGL's."""
    return world_from_camera * _FLIP


def opengl_from_llff(world_from_camera: Floats) -> Floats:
    """OpenGL cameras [..., 4, 4] from LLFF's [..., 3 or 4, 4], whose columns are (down, right, backwards)."""
    down, right, backward, place = np.moveaxis(world_from_camera[..., :3, :4], -1, 0)
    return _filled(np.stack([right, -down, backward, place], -1))


def opengl_from_colmap(quaternion: Floats, translation: Floats) -> Floats:
    """OpenGL cameras [..., 4, 4] in the world, from COLMAP's camera-from-world.

    quaternion: [..., 4], w first, of any length above 0.  translation: [..., 3].
    """
    camera_from_world = rotation_from_quaternion(quaternion)
    back = np.swapaxes(camera_from_world, -1, -2)
    place = -(back @ np.asarray(translation, np.float64)[..., None])
    return opengl_from_opencv(_filled(np.concatenate([back, place], -1)))


def colmap_from_opengl(world_from_camera: Floats) -> tuple[Floats, Floats]:
    """COLMAP's camera-from-world of one camera [4, 4]: quaternion [4] (w first, w >= 0), translation [3]."""
    cv = opencv_from_opengl(world_from_camera)
    camera_from_world = cv[:3, :3].T
    return quaternion_from_rotation(camera_from_world), -camera_from_world @ cv[:3, 3]


def rotation_from_quaternion(quaternion: Floats) -> Floats:
    """Rotation matrices [..., 3, 3] of quaternions [..., 4], w first."""
    quaternion = np.asarray(quaternion, np.float64)
    w, x, y, z = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def quaternion_from_rotation(rotation: Floats) -> Floats:
    """The unit quaternion [4] (w first, w >= 0) of a rotation matrix [3, 3]."""
    # The eigenvector of the largest eigenvalue (Bar-Itzhack 2000): no branch is near a division by zero.
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    symmetric = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    quaternion = np.linalg.eigh(symmetric)[1][:, -1]
    return quaternion if quaternion[0] >= 0 else -quaternion


def rigid(matrix: ArrayLike, name: str = "The camera") -> Floats:
    """The pose [4, 4] that a matrix [3, 4] or [4, 4] says, whatever the scale of the scene.

    A rotation that is off by rounding (1e-6) is left as it stands; up to 1e-3 it is replaced by the nearest
    rotation. `name` begins the sentence. Raises UserError `dataset.bad` for anything else.
    """
    try:
        given = np.asarray(matrix, np.float64)
    except (TypeError, ValueError, OverflowError) as error:  # ragged, words, or an integer beyond floats
        raise _bad(f"{name} has a pose that is not 4 x 4 numbers.") from error
    if given.shape not in ((3, 4), (4, 4)):
        size = " x ".join(map(str, given.shape)) or "a single number"
        raise _bad(f"{name} has a pose of {size} instead of 4 x 4 numbers.")
    if not (np.abs(given) < LARGEST).all():
        raise _bad(f"{name} has a pose with numbers that are not finite.")
    if given.shape == (4, 4) and np.abs(given[3] - (0, 0, 0, 1)).max() > UNTOUCHED:
        raise _bad(f"{name} has a pose whose last row is not 0 0 0 1.")
    rotation = given[:3, :3]
    error_size = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    if error_size > TOLERATED:
        raise _bad(
            f"{name} has a pose whose axes are not at right angles and of length 1 (off by {error_size:.2g})."
        )
    if np.linalg.det(rotation) < 0:
        raise _bad(f"{name} has a mirrored pose (its axes are left-handed).")
    if error_size > UNTOUCHED:
        u, _, v = np.linalg.svd(rotation)
        rotation = u @ v
    return _filled(np.concatenate([rotation, given[:3, 3:]], -1))


def _filled(matrix: Floats) -> Floats:
    """[..., 3, 4] with the row 0 0 0 1 below."""
    last = np.broadcast_to(np.array([0.0, 0.0, 0.0, 1.0]), (*matrix.shape[:-2], 1, 4))
    return np.concatenate([matrix, last], -2)


def _bad(sentence: str) -> UserError:
    return UserError("dataset.bad", sentence, hint="Export the camera poses again.")
