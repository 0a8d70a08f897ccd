"""`maquette models` and `maquette doctor` on this machine, and what would be fetched from the hub."""

import json
import shutil
from pathlib import Path

import pytest
import tiny_models
from maquette_server.cli import fetching, model_names, trials
from maquette_server.cli.app import app
from maquette_server.config import POCKET, Config
from maquette_wire.errors import UserError
from typer.testing import CliRunner


def lines(*words: str) -> list[dict]:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_list_says_who_may_earn_money_with_a_model(private_home: Path) -> None:
    painter, editor = lines("models", "list")
    assert painter == {
        "name": "pocket",
        "kind": "text_to_image",
        "commercial": "yes",
        "default": True,
        "where": str(POCKET),
    }
    assert (editor["name"], editor["kind"], editor["commercial"]) == ("pocket-edit", "instruct_edit", "yes")


def test_a_folder_becomes_the_default_under_its_name(private_home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").symlink_to(POCKET, target_is_directory=True)
    assert lines("models", "default", str(tmp_path / "mine")) == [{"default": "mine"}]
    rows = {row["name"]: row["default"] for row in lines("models", "list")}
    assert rows == {"pocket": False, "pocket-edit": True, "mine": True}
    assert lines("models", "default", "pocket") == [{"default": "pocket"}]


def test_an_editor_becomes_the_default_of_editing(private_home: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_models.POCKET_EDIT, tmp_path / "mine")
    assert lines("models", "default", str(tmp_path / "mine")) == [{"default": "mine"}]
    assert [row["name"] for row in lines("models", "list") if row["default"]] == ["pocket", "mine"]


def test_checking_a_model_reads_its_files(private_home: Path) -> None:
    (facts,) = lines("models", "check", "pocket")
    assert facts["prediction"] == "v_prediction"
    assert facts["factor"] == 4
    assert "red" in facts["vocabulary"]


@pytest.mark.parametrize("name", ["nobody", "owner/never-fetched", "/no/such/folder"])
def test_checking_what_is_no_model_is_status_2(private_home: Path, name: str) -> None:
    result = CliRunner().invoke(app, ["models", "check", name])
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_folder_with_the_name_of_a_known_model_does_not_hide_it(tmp_path: Path) -> None:
    (tmp_path / "pocket").symlink_to(POCKET, target_is_directory=True)
    name, models = model_names.resolve(str(tmp_path / "pocket"), Config(), "text_to_image")
    assert name != "pocket"
    assert models == {name: str(tmp_path / "pocket")}
    assert model_names.resolve("", Config(), "text_to_image") == ("pocket", {})
    assert model_names.resolve("", Config(), "instruct_edit") == ("pocket-edit", {})


def test_only_safetensors_are_fetched_and_of_each_part_one_set() -> None:
    names = (
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "safety_checker/model.safetensors",
        "safety_checker/config.json",
        "v1-5-pruned.ckpt",
        "picture.png",
    )
    assert fetching.chosen(names) == (
        "model_index.json",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    )


def test_a_model_with_pickles_only_is_not_fetched() -> None:
    with pytest.raises(UserError, match="pickle") as caught:
        fetching.chosen(("model_index.json", "unet/diffusion_pytorch_model.bin"))
    assert caught.value.code == "model.pickle"


def test_fetching_without_a_network_says_so(private_home: Path) -> None:
    result = CliRunner().invoke(app, ["models", "fetch", "owner/model", "--yes"])
    assert result.exit_code == 2
    assert "Nothing was downloaded" in result.stderr


@pytest.mark.parametrize("library", ["httpx", "httpx2", "httpcore", "requests.exceptions"])
def test_an_error_of_any_http_library_means_that_the_hub_is_out_of_reach(monkeypatch, library: str) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise type("ConnectError", (Exception,), {"__module__": library})("Name or service not known")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", nobody)
    with pytest.raises(UserError, match="cannot be reached") as caught:
        fetching.plan("owner/model", None)
    assert caught.value.code == "model.not_found"


def test_a_trial_that_dies_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials.sys, "executable", "/bin/false")
    found = trials.run("torch")
    assert found["ok"] is False
    assert "status 1" in found["text"]


def test_the_doctor_finds_that_jobs_can_run(
    private_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAQUETTE_SERVER", f"127.0.0.1:{free_port}")
    monkeypatch.setattr("maquette_server.cli.doctor._blender", lambda: iter(()))
    findings = lines("doctor")
    by_subject: dict[str, list[bool]] = {}
    for finding in findings:
        by_subject.setdefault(finding["about"], []).append(finding["ok"])
    assert by_subject["jobs"] == [True]
    assert by_subject["torch"] == [True]
    assert by_subject["model"] == [True, True]
    assert by_subject["server"] == [False]


def test_the_doctor_refuses_when_the_default_model_is_broken(
    private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maquette_server.cli.doctor._blender", lambda: iter(()))
    monkeypatch.setattr("maquette_server.cli.doctor._compute", lambda: iter(()))
    place = private_home / "data" / "maquette"
    place.mkdir(parents=True)
    gone = {"default_model": "gone", "models": {"gone": {"path": "/no/such/folder"}}}
    (place / "config.json").write_text(json.dumps(gone), encoding="utf-8")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 2
    assert "MISSING" in result.stdout
