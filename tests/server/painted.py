"""What a painted folder looks like, measured from its files alone: mesh.glb, texture.png and preview.png.

Nothing of the server is used: trimesh reads the mesh and casts the rays, and what a colour is called comes
from the xkcd survey of colour names, by distance in CIELAB; lightness counts half, since shade is no colour.
"""

from pathlib import Path

import numpy as np
import trimesh
from matplotlib.colors import XKCD_COLORS, to_rgb
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2lab

COLOURS = (
    "red",
    "green",
    "blue",
    "yellow",
    "orange",
    "purple",
    "pink",
    "brown",
    "cyan",
    "black",
    "white",
    "grey",
)
BACKGROUND = (235, 235, 235)  # of preview.png
ASIDE = 0.003  # of the diagonal: how far from an edge colours are compared


class Painted:
    """The files of one painting. Points are given as faces [n] and barycentric weights [n, 3]."""

    def __init__(self, folder: Path) -> None:
        scene = trimesh.load(folder / "mesh.glb", process=False)
        (self.mesh,) = scene.geometry.values()
        self.uv = np.asarray(self.mesh.visual.uv)  # [V, 2], v up
        self.texture = np.array(Image.open(folder / "texture.png").convert("RGB"))
        self.preview = np.array(Image.open(folder / "preview.png").convert("RGB"))

    def colours(self, face: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, 3] in 0..1, of the texel that each point lies in."""
        uv = (self.uv[self.mesh.faces[face]] * weights[..., None]).sum(1)
        side = len(self.texture)
        column = np.floor(uv[:, 0] * side).astype(int) % side
        row = np.floor((1 - uv[:, 1]) * side).astype(int) % side
        return self.texture[row, column] / 255

    def surface(self, count: int = 20_000) -> NDArray[np.float64]:
        """Colours of points spread evenly over the surface."""
        rng = np.random.default_rng(0)
        share = self.mesh.area_faces / self.mesh.area_faces.sum()
        return self.colours(rng.choice(len(share), count, p=share), rng.dirichlet((1, 1, 1), count))

    def pictured(self) -> NDArray[np.float64]:
        """Colours of the preview's pixels that are not its background."""
        return self.preview[(self.preview != BACKGROUND).any(-1)] / 255

    def seen(self, rays: int = 40) -> NDArray[np.float64]:
        """Colours that parallel rays meet first, from 26 directions all round."""
        grid = np.array(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1])).reshape(3, -1).T
        found = []
        for towards in grid[np.abs(grid).any(1)]:
            towards = towards / np.linalg.norm(towards)
            across = np.cross(towards, (0.0, 1.0, 0.0) if abs(towards[1]) < 0.9 else (1.0, 0.0, 0.0))
            across /= np.linalg.norm(across)
            x, y = np.meshgrid(np.linspace(-1, 1, rays), np.linspace(-1, 1, rays))
            plane = x.reshape(-1, 1) * across + y.reshape(-1, 1) * np.cross(towards, across) + 2 * towards
            origins = self.mesh.bounds.mean(0) + plane * self.mesh.scale / 2
            points, _, face = self.mesh.ray.intersects_location(
                origins, np.broadcast_to(-towards, origins.shape), multiple_hits=False
            )
            corners = self.mesh.triangles[face]
            found.append(self.colours(face, trimesh.triangles.points_to_barycentric(corners, points)))
        return np.concatenate(found)

    def seam_step(self) -> float | None:
        """How much colours differ across the UV map's cuts over how much they do across other edges.

        Either way two points are compared, a little aside of the middle of an edge in both its faces. None
        when there are no such edges of one of the kinds.
        """
        _, place = np.unique(self.mesh.vertices, axis=0, return_inverse=True)
        place, faces = place.reshape(-1), self.mesh.faces
        sides: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for face, corners in enumerate(place[faces]):
            for k in range(3):
                ends = sorted((int(corners[k]), int(corners[(k + 1) % 3])))
                sides.setdefault((ends[0], ends[1]), []).append((face, k))
        pairs = np.array([both for both in sides.values() if len(both) == 2])  # [E, 2 sides, (face, corner)]
        face, corner = pairs[..., 0], pairs[..., 1]
        start, end = (faces[face, (corner + k) % 3] for k in range(2))  # [E, 2]
        cut = (np.abs(self.uv[start[:, 0]] - self.uv[end[:, 1]]).max(1) > 1e-5) | (
            np.abs(self.uv[end[:, 0]] - self.uv[start[:, 1]]).max(1) > 1e-5
        )
        length = np.linalg.norm(self.mesh.vertices[end] - self.mesh.vertices[start], axis=-1)
        height = 2 * self.mesh.area_faces[face] / np.maximum(length, 1e-30)
        share = ASIDE * self.mesh.scale / np.maximum(height, 1e-30)  # of the way to the third corner
        wide = (share < 0.5).all(1)
        if not (cut & wide).any() or not (~cut & wide).any():
            return None
        weights = np.zeros((*face.shape, 3))
        rows, columns = np.indices(face.shape)
        for k, weight in enumerate(((1 - share) / 2, (1 - share) / 2, share)):
            weights[rows, columns, (corner + k) % 3] = weight
        colours = self.colours(face[wide].reshape(-1), weights[wide].reshape(-1, 3)).reshape(-1, 2, 3)
        step = np.abs(colours[:, 0] - colours[:, 1]).mean(-1)
        across = np.average(step[cut[wide]], weights=length[wide, 0][cut[wide]])
        inside = np.average(step[~cut[wide]], weights=length[wide, 0][~cut[wide]])
        return float(across / max(inside, 0.25 / 255))  # 8 bits tell no smaller step


def share(colours: NDArray[np.float64], name: str) -> float:
    """Share of colours [n, 3] that are nearest to the named one."""
    references = rgb2lab(np.array([[to_rgb(XKCD_COLORS[f"xkcd:{known}"]) for known in COLOURS]]))[0]
    apart = (rgb2lab(colours[None])[0][:, None] - references) * (0.5, 1, 1)
    return float((np.linalg.norm(apart, axis=-1).argmin(1) == COLOURS.index(name)).mean())
