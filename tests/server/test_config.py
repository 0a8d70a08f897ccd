"""The configuration of a data folder as a file."""

import errno
import os
from pathlib import Path

import pytest
from maquette_server import config


def test_a_configuration_comes_back_as_it_was(tmp_path: Path) -> None:
    saved = config.Config(default_model="other", torch_threads=3)
    config.save(tmp_path / "new", saved)
    assert config.load(tmp_path / "new") == saved


@pytest.mark.parametrize("place", ["pathlib.Path.write_bytes", "maquette_server.config.os.replace"])
def test_a_configuration_that_cannot_be_saved_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def full(path: Path, *arguments: object) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    config.save(tmp_path, config.Config())
    monkeypatch.setattr(place, full)
    with pytest.raises(OSError, match="No space"):
        config.save(tmp_path, config.Config(default_model="other"))
    assert [path.name for path in tmp_path.iterdir()] == [config.FILE]
    assert config.load(tmp_path) == config.Config()
