"""Atlases of real meshes for a latent texture of 128 texels: charts apart, and nothing empty between them.

The released Latent-Paint code packs with xatlas's defaults, where charts touch at that size.
"""

from pathlib import Path

import numpy as np
import pytest
import xatlas
from maquette_server.baking import gutter
from maquette_server.geometry import files, unwrap, uv_raster
from maquette_server.geometry.mesh import Mesh
from numpy.typing import NDArray
from scipy import ndimage

SIDE = 128
ROUNDS = 4  # of chart growing, as the released code asks for

# charts, texels inside them; with the defaults: charts, texels that have another chart beside them
COUNTS = {
    "teddy": (37, 6086, 37, 156),
    "bunny": (35, 5164, 33, 2),
    "env_sphere": (7, 7692, 10, 30),
}


def chart_map(corner_uvs: NDArray[np.float32], chart: NDArray[np.int32]) -> NDArray[np.int32]:
    """[128, 128]: the chart that each texel's centre lies in, -1 for none."""
    raster = uv_raster.rasterise(corner_uvs, SIDE)
    return np.where((raster.face >= 0) & ~raster.rim, chart[np.maximum(raster.face, 0)], -1)


def touching(charts: NDArray[np.int32], reach: int = 1) -> int:
    """How many texels of a chart have a texel of another within `reach`, across the border as well."""
    size = 2 * reach + 1
    highest = ndimage.maximum_filter(charts, size, mode="wrap")
    lowest = ndimage.minimum_filter(np.where(charts < 0, charts.max(), charts), size, mode="wrap")
    return int(((charts >= 0) & ((highest > charts) | (lowest < charts))).sum())


def with_defaults(mesh: Mesh) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Corner UVs and charts as the released code makes them."""
    atlas = xatlas.Atlas()
    atlas.add_mesh(mesh.positions.astype(np.float32), mesh.triangles.astype(np.uint32))
    options = xatlas.ChartOptions()
    options.max_iterations = ROUNDS
    atlas.generate(options, xatlas.PackOptions())
    _, indices, uvs = atlas.get_mesh(0)
    chart = np.zeros(len(mesh.triangles), np.int32)
    for number in range(atlas.get_mesh_chart_count(0)):
        chart[np.asarray(atlas.get_mesh_chart(0, number).faces, np.int64)] = number
    return uvs[indices].astype(np.float32), chart


@pytest.mark.parametrize("name", COUNTS)
def test_charts_of_real_meshes_are_three_texels_apart_and_touch_with_the_defaults(
    data: Path, name: str
) -> None:
    mesh = files.load(data / "meshes" / f"{name}.obj").mesh
    atlas = unwrap.Unwrapping(mesh, SIDE, gutter=2, chart_iterations=ROUNDS).wait()
    ours = chart_map(atlas.corner_uvs, atlas.chart)
    released = chart_map(*with_defaults(mesh))
    assert (atlas.chart_count, int((ours >= 0).sum()), released.max() + 1, touching(released)) == COUNTS[name]
    assert touching(ours, reach=2) == 0


@pytest.mark.parametrize("name", COUNTS)
def test_a_filled_atlas_of_a_real_mesh_mixes_no_charts_beside_their_borders(data: Path, name: str) -> None:
    mesh = files.load(data / "meshes" / f"{name}.obj").mesh
    atlas = unwrap.Unwrapping(mesh, SIDE, gutter=2, chart_iterations=ROUNDS).wait()
    charts = chart_map(atlas.corner_uvs, atlas.chart)
    used = charts >= 0
    filled = gutter.fill(charts[..., None].astype(np.float32), used)[..., 0]
    beside = ndimage.maximum_filter(charts, footprint=ndimage.generate_binary_structure(2, 1), mode="wrap")
    assert np.array_equal(filled[beside >= 0], beside[beside >= 0])
    level = gutter.fill(np.where(used, 1.0, 1e3)[..., None], used)
    while len(level) > 1:
        assert level.max() == 1
        level = level.reshape(len(level) // 2, 2, len(level) // 2, 2, 1).mean((1, 3))
