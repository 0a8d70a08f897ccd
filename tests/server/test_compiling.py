"""Facts about where compiled kernels are kept."""

from pathlib import Path

import numpy as np
import pytest
from maquette_server.fields import compiling, density_kernels, grid
from maquette_server.rendering import look_kernels, march_kernels, marching


def test_a_change_of_any_file_is_another_folder(tmp_path: Path) -> None:
    files = [tmp_path / "one_kernels.py", tmp_path / "two_kernels.py"]
    for path in files:
        path.write_text("x = 1\n", encoding="utf-8")
    before = compiling.digest(files)
    assert compiling.digest(reversed(files)) == before
    files[1].write_text("x = 2\n", encoding="utf-8")
    assert compiling.digest(files) != before


def test_all_kernels_lie_in_the_folder_of_all_files() -> None:
    assert compiling._FOLDER is not None
    for each in (march_kernels.fill, look_kernels.walk, density_kernels.densities):
        assert Path(each.stats.cache_path).is_relative_to(compiling._FOLDER)


def test_what_earlier_files_became_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_PACKAGE", tmp_path)
    beside = tmp_path / "__pycache__"
    (beside / "kernels-0").mkdir(parents=True)
    (beside / "others").mkdir()
    found = compiling.folder()
    assert found is not None
    assert sorted(beside.iterdir()) == sorted([found, beside / "others"])


def test_what_other_versions_became_stays_where_they_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling.numba.config, "CACHE_DIR", str(tmp_path))
    (tmp_path / "kernels-0").mkdir()
    found = compiling.folder()
    assert found is not None
    assert sorted(tmp_path.iterdir()) == sorted([found, tmp_path / "kernels-0"])


def test_where_nothing_can_be_written_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr(compiling, "_PACKAGE", tmp_path / "file")
    monkeypatch.setattr(compiling.Path, "home", lambda: tmp_path / "file")
    assert compiling.folder() is None


def test_what_stands_twice_is_the_same() -> None:
    assert np.float32(grid._MOST_LOG_DENSITY) == density_kernels._MOST_LOG_DENSITY
    assert np.float32(marching.SPENT) == look_kernels._SPENT
