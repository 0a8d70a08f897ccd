"""Addresses as people write them, and the file with the token."""

import os
from pathlib import Path

import pytest
from maquette_server import addresses, config
from maquette_wire.errors import UserError


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("tcp://127.0.0.1:5577", "127.0.0.1", 5577, True),
        ("127.0.0.1:1", "127.0.0.1", 1, True),
        (":65535", "127.0.0.1", 65535, True),
        (" localhost:80 ", "localhost", 80, True),
        ("[::1]:5577", "[::1]", 5577, True),
        ("127.8.9.1:5", "127.8.9.1", 5, True),
        ("0.0.0.0:5577", "0.0.0.0", 5577, False),
        ("*:5577", "*", 5577, False),
        ("gpu-box.example.org:5577", "gpu-box.example.org", 5577, False),
        ("127.0.0.1.example.org:5577", "127.0.0.1.example.org", 5577, False),
        ("192.168.1.2:5577", "192.168.1.2", 5577, False),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int, loopback: bool) -> None:
    address = addresses.parse_address(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)
    assert addresses.parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1", "tcp://x", "x:y", ":65536", "ipc:///tmp/x:1", "a b:1", "http://x:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UserError) as refused:
        addresses.parse_address(text)
    assert refused.value.code == "address.bad"


def test_the_token_is_left_for_the_same_user(private_home: Path) -> None:
    running = addresses.Running(token="t", pid=os.getpid(), data_folder="/somewhere")
    assert addresses.read_running(5577) is None
    addresses.write_running(5577, running)
    assert addresses.read_running(5577) == running
    addresses.runtime_file(5577).write_bytes(b"{")
    assert addresses.read_running(5577) is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="only systems with owners of files")
def test_a_file_that_another_user_put_there_is_not_believed(
    private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses.write_running(5577, addresses.Running(token="t", pid=os.getpid(), data_folder=""))
    another = os.getuid() + 1
    monkeypatch.setattr(addresses.os, "getuid", lambda: another)
    assert addresses.read_running(5577) is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="only systems with owners of files")
def test_a_link_in_the_place_of_the_file_is_not_followed(private_home: Path, tmp_path: Path) -> None:
    addresses.write_running(5577, addresses.Running(token="t", pid=os.getpid(), data_folder=""))
    file = addresses.runtime_file(5577)
    file.rename(tmp_path / "elsewhere.json")
    file.symlink_to(tmp_path / "elsewhere.json")
    assert addresses.read_running(5577) is None


def test_another_servers_file_is_left_alone(private_home: Path) -> None:
    addresses.write_running(5577, addresses.Running(token="t", pid=1, data_folder=""))
    addresses.remove_running(5577)
    assert addresses.read_running(5577) is not None


def test_a_configuration_comes_back_and_a_broken_one_is_named(tmp_path: Path) -> None:
    assert config.load(tmp_path) == config.Config()
    changed = config.Config(
        models={"sd": config.ModelEntry(path="/models/sd")}, default_model="sd", torch_threads=2
    )
    config.save(tmp_path, changed)
    assert config.load(tmp_path) == changed
    (tmp_path / config.FILE).write_text('{"no_such_setting": 1}', encoding="utf-8")
    with pytest.raises(UserError) as refused:
        config.load(tmp_path)
    assert refused.value.code == "data.unusable"
    assert "no_such_setting" in refused.value.sentence


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (None, "model.not_found"),
        ([], "model.bad"),
        (["model_index.json"], "model.incomplete"),
        (["model_index.json", "unet/diffusion_pytorch_model.bin"], "model.pickle"),
    ],
)
def test_a_folder_that_is_no_model_is_refused(tmp_path: Path, files: list[str] | None, code: str) -> None:
    folder = tmp_path / "model"
    for name in files or ():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}", encoding="utf-8")
    if files == []:
        folder.mkdir()
    with pytest.raises(UserError) as refused:
        config.check_model("m", config.ModelEntry(path=str(folder)))
    assert refused.value.code == code


@pytest.mark.parametrize("name", ["pocket", "pocket-edit"])
def test_the_pocket_models_are_built_in(name: str) -> None:
    models = config.models_of(config.Config())
    config.check_model(name, models[name])
    assert config.describe(name, models[name]).commercial == "yes"
