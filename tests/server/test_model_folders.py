"""Facts about model folders: what is understood, and what is refused in one sentence with a way out."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
import tiny_models
from maquette_server import config
from maquette_server.cli.app import app
from maquette_server.model_folders import checking, weights
from maquette_wire import errors
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return tiny_models.pocket_like(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture
def folder(model, tmp_path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "model"))


def refused(folder: Path | str) -> errors.UserError:
    with pytest.raises(errors.UserError) as caught:
        checking.check(str(folder))
    assert "\n" not in caught.value.line()
    assert caught.value.hint
    return caught.value


def edit(file: Path, **changes) -> None:
    settings = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(settings | changes), encoding="utf-8")


def test_the_embedded_model_is_described_without_loading_its_weights():
    found = checking.check(str(tiny_models.POCKET))
    assert (found.kind, found.channels, found.sample_size, found.factor) == ("text_to_image", 4, 16, 4)
    assert found.prediction == "v_prediction"
    assert found.commercial == "yes"
    assert {"red", "wooden", "striped"} <= set(found.vocabulary)


def test_a_folder_without_an_index_is_no_model(tmp_path):
    assert refused(tmp_path).code == "model.bad"


def test_a_file_is_no_model(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"")
    assert refused(tmp_path / "x.safetensors").code == "model.bad"


def test_a_name_that_nobody_knows_is_not_found():
    assert refused("no-such-model").code == "model.not_found"


def test_a_hub_name_that_was_not_fetched_says_how_to_fetch_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    error = refused("some-owner/some-model")
    assert error.code == "model.not_found"
    assert "maquette models fetch some-owner/some-model" in error.hint


@pytest.mark.parametrize(
    "part",
    ["unet/config.json", "vae/config.json", "scheduler/scheduler_config.json", "text_encoder/config.json"],
)
def test_a_missing_settings_file_is_named(folder, part):
    (folder / part).unlink()
    error = refused(folder)
    assert error.code == "model.incomplete"
    assert part in error.sentence


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_missing_weights_are_named(folder, part):
    for file in (folder / part).glob("*.safetensors"):
        file.unlink()
    error = refused(folder)
    assert error.code == "model.incomplete"
    assert part in error.sentence


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "model.ckpt", "x.pt", "y.pth", "z.pkl"])
def test_pickled_weights_are_never_loaded(folder, name):
    for file in (folder / "unet").glob("*.safetensors"):
        file.unlink()
    (folder / "unet" / name).write_bytes(b"\x80\x04N.")
    error = refused(folder)
    assert error.code == "model.pickle"
    assert f"unet/{name}" in error.sentence
    assert "safetensors" in error.hint


def test_a_denoiser_of_other_channels_is_refused_with_the_numbers(folder):
    edit(folder / "unet" / "config.json", in_channels=9)
    error = refused(folder)
    assert error.code == "model.shape"
    assert "9" in error.sentence
    assert "4" in error.sentence


def test_parts_that_do_not_belong_together_are_refused(folder):
    edit(folder / "text_encoder" / "config.json", hidden_size=768)
    assert refused(folder).code == "model.shape"


def test_an_editor_is_recognised_by_its_channels(folder):
    edit(folder / "unet" / "config.json", in_channels=8)
    assert checking.check(str(folder)).kind == "instruct_edit"


def test_settings_that_are_no_json_are_refused(folder):
    (folder / "unet" / "config.json").write_text("{", encoding="utf-8")
    assert refused(folder).code == "model.bad"


SENSELESS: dict[str, tuple[str, str]] = {
    "an index that is a list": ("model_index.json", "[]"),
    "an index with a part that is a number": ("model_index.json", '{"vae": 3}'),
    "a denoiser without channels": ("unet/config.json", '{"cross_attention_dim": 16}'),
    "channels below nothing": ("unet/config.json", '{"in_channels": -4, "cross_attention_dim": 16}'),
    "latent channels as text": ("vae/config.json", '{"latent_channels": "4", "block_out_channels": [8]}'),
    "latent channels below nothing": (
        "vae/config.json",
        '{"latent_channels": -4, "block_out_channels": [8]}',
    ),
    "no latent channels": ("vae/config.json", '{"block_out_channels": [8, 8, 8]}'),
    "no blocks": ("vae/config.json", '{"latent_channels": 4}'),
    "a scale of NaN": (
        "vae/config.json",
        '{"latent_channels": 4, "block_out_channels": [8], "scaling_factor": NaN}',
    ),
    "a scale of nothing": (
        "vae/config.json",
        '{"latent_channels": 4, "block_out_channels": [8], "scaling_factor": 0}',
    ),
    "a width as text": ("text_encoder/config.json", '{"hidden_size": "wide"}'),
    "noise above all": ("scheduler/scheduler_config.json", '{"beta_end": 7}'),
    "no steps": ("scheduler/scheduler_config.json", '{"num_train_timesteps": 0}'),
    "settings in another coding": ("unet/config.json", "\udcff"),
    "fewer tokens than nothing": ("tokenizer/tokenizer_config.json", '{"model_max_length": -5}'),
    "words that are no list": ("maquette.json", '{"vocabulary": {"colours": 3}}'),
    "a vocabulary that is no table": ("maquette.json", '{"vocabulary": ["red"]}'),
    "a misspelt part": ("maquette.json", '{"piant": {}}'),
    "defaults that are no table": ("maquette.json", '{"paint": 3}'),
    "defaults of NaN": ("maquette.json", '{"paint": {"guidance_scale": NaN}}'),
    "a licence that nobody knows": ("maquette.json", '{"licence": {"commercial": "perhaps"}}'),
    "a matrix of NaN": ("latent_rgb.json", '{"matrix": [[NaN, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]}'),
    "a matrix of other channels": ("latent_rgb.json", '{"matrix": [[0, 0, 0]]}'),
    "a matrix of two colours": ("latent_rgb.json", '{"matrix": [[0, 0], [0, 0], [0, 0], [0, 0]]}'),
    "no matrix": ("vae/latent_rgb.json", "{}"),
    "deep brackets": ("maquette.json", "[" * 100_000),
}


@pytest.mark.parametrize("what", SENSELESS)
def test_settings_without_sense_are_refused_by_the_files_name(folder, what):
    name, content = SENSELESS[what]
    (folder / name).write_text(content, encoding="utf-8", errors="surrogateescape")
    error = refused(folder)
    assert error.code == "model.bad"
    assert name in error.sentence


@pytest.mark.parametrize("missing", ["tokenizer", "scheduler"])
def test_a_missing_folder_of_settings_is_named(folder, missing):
    shutil.rmtree(folder / missing)
    error = refused(folder)
    assert error.code == "model.incomplete"
    assert missing in error.sentence


@pytest.mark.parametrize(
    ("keep", "says"),
    [(4, "cut short"), (100, "cut short"), (-1, "bytes")],
    ids=["length", "header", "numbers"],
)
def test_weights_that_end_too_early_are_refused_before_they_are_loaded(folder, keep, says):
    file = next((folder / "unet").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:keep])
    error = refused(folder)
    assert error.code == "model.bad"
    assert f"unet/{file.name}" in error.sentence
    assert says in error.sentence


def test_a_part_of_another_family_is_refused_by_its_class(folder):
    edit(folder / "model_index.json", text_encoder=["transformers", "T5EncoderModel"])
    error = refused(folder)
    assert error.code == "model.shape"
    assert "T5EncoderModel" in error.sentence


def test_pickles_beside_safetensors_are_left_alone(folder):
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04N.")
    assert checking.check(str(folder)).kind == "text_to_image"


def test_a_model_configured_as_another_kind_is_refused(folder):
    with pytest.raises(errors.UserError) as caught:
        config.check_model("m", config.ModelEntry(path=str(folder), kind="instruct_edit"))
    assert caught.value.code == "model.shape"


def test_a_broken_model_is_listed_all_the_same(folder):
    (folder / "maquette.json").write_text("{", encoding="utf-8")
    assert config.describe("m", config.ModelEntry(path=str(folder)), default=False).vocabulary == ()


BROKEN: dict[str, tuple[str, str | None, str]] = {
    "no index": ("model_index.json", None, "model.bad"),
    "no scheduler": ("scheduler/scheduler_config.json", None, "model.incomplete"),
    "no tokenizer": ("tokenizer/tokenizer.json", None, "model.incomplete"),
    "no weights": ("vae/diffusion_pytorch_model.safetensors", None, "model.incomplete"),
    "no JSON": ("vae/config.json", "{", "model.bad"),
    "text for a number": ("vae/config.json", '{"latent_channels": "4"}', "model.bad"),
    "words that are no list": ("maquette.json", '{"vocabulary": {"colours": 3}}', "model.bad"),
    "a matrix of NaN": ("latent_rgb.json", '{"matrix": NaN}', "model.bad"),
    "other channels": ("unet/config.json", '{"in_channels": 9, "cross_attention_dim": 16}', "model.shape"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_painting_with_a_broken_model_ends_in_one_line_and_leaves_nothing(
    folder, private_home, monkeypatch, what
):
    name, content, code = BROKEN[what]
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(folder.parent)
    Path("good.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", encoding="utf-8")
    words = ["paint", "good.obj", "--prompt", "x", "--out", "out", "--model", "model", "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.strip().splitlines()
    last = json.loads(result.stdout.splitlines()[-1])
    assert last["code"] == code
    assert last["hint"]
    assert line == f"{last['sentence']} {last['hint']}"
    assert not Path("out").exists()


def test_a_copy_of_a_model_has_its_digest_and_other_numbers_have_another(model, folder):
    before = weights.digest(folder)
    assert len(before) == 64
    assert before == weights.digest(model)
    (folder / "README.md").write_text("read me", encoding="utf-8")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04N.")
    assert weights.digest(folder) == before
    file = next((folder / "unet").glob("*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert weights.digest(folder) != before


def test_the_list_of_models_tells_their_digests(folder):
    info = config.describe("m", config.ModelEntry(path=str(folder)), default=False)
    assert info.digest == weights.digest(folder)


def test_a_model_of_many_gigabytes_is_checked_and_told_apart_at_once(folder):
    size = 1 << 34
    header = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    file = next((folder / "unet").glob("*.safetensors"))
    with file.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.truncate(8 + len(header) + size)  # takes no room on the disk
    began = time.monotonic()
    checking.check(str(folder))
    before = weights.digest(folder)
    assert time.monotonic() - began < 5
    with file.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"x")
    assert weights.digest(folder) != before
