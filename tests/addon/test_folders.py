"""The token file of a local server is looked for where the server leaves it."""

import json
import os
import sys
import warnings
from pathlib import Path

import platformdirs
import pytest
from platformdirs import macos, windows

from blender_addon import folders


def test_the_runtime_folder_of_this_system_is_among_the_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert Path(platformdirs.user_runtime_dir("maquette")) in folders.runtime_folders()


@pytest.mark.filterwarnings("ignore::platformdirs.RuntimeDirWarning")
@pytest.mark.skipif(sys.platform == "win32", reason="a session of Linux or macOS")
def test_without_a_session_folder_the_fall_back_is_among_the_candidates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs may remark on the missing variable
        expected = Path(platformdirs.user_runtime_dir("maquette"))
    assert expected in folders.runtime_folders()


def test_the_data_folder_is_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAQUETTE_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", os.path.abspath("/somewhere"))
    assert folders.data_folder() == Path(platformdirs.user_data_dir("maquette"))
    monkeypatch.setenv("MAQUETTE_DATA_DIR", "elsewhere")
    assert folders.data_folder() == Path("elsewhere")


def test_windows_and_macos_have_the_folders_of_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    mac = macos.MacOS("maquette")
    assert folders.runtime_folders("darwin", {}) == (Path(mac.user_runtime_dir),)
    assert folders.data_folder("darwin", {}) == Path(mac.user_data_dir)
    monkeypatch.setattr(windows, "get_win_folder", lambda name: "/local")
    win = windows.Windows("maquette")
    assert folders.runtime_folders("win32", {"LOCALAPPDATA": "/local"}) == (Path(win.user_runtime_dir),)
    assert folders.data_folder("win32", {"LOCALAPPDATA": "/local"}) == Path(win.user_data_dir)


def test_a_token_is_read_and_anything_else_is_as_good_as_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "runtime_folders", lambda: (tmp_path / "none", tmp_path))
    assert folders.local_server(5577) is None
    file = tmp_path / "5577.json"
    for bad in ("", "{", "[]", '{"token": "x"}', '{"token": "x", "pid": "y"}'):
        file.write_text(bad, encoding="utf-8")
        assert folders.local_server(5577) is None
    file.write_text(json.dumps({"token": "x", "pid": 7, "data_folder": "/d"}), encoding="utf-8")
    assert folders.local_server(5577) == folders.LocalServer("x", 7, "/d")


@pytest.mark.skipif(not hasattr(os, "symlink") or sys.platform == "win32", reason="POSIX only")
def test_a_token_behind_a_link_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "runtime_folders", lambda: (tmp_path,))
    real = tmp_path / "real.json"
    real.write_text(json.dumps({"token": "x", "pid": 7}), encoding="utf-8")
    (tmp_path / "5577.json").symlink_to(real)
    assert folders.local_server(5577) is None
