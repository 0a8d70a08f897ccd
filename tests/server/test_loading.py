"""Facts about reading model folders: what is understood, and what is refused in one sentence."""

import json
from pathlib import Path

import pytest
import tiny_models
import torch
from maquette_server.guidance import latent_rgb, loading
from maquette_wire import errors
from safetensors.torch import load_file, save_file


@pytest.fixture
def folder(tmp_path) -> Path:
    return tiny_models.pocket_like(tmp_path / "model")


def refused(folder: Path | str) -> errors.UserError:
    with pytest.raises(errors.UserError) as caught:
        loading.check(str(folder))
    assert "\n" not in caught.value.line()
    return caught.value


def edit(file: Path, **changes) -> None:
    settings = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(settings | changes), encoding="utf-8")


def test_the_embedded_model_is_described_without_loading_its_weights():
    found = loading.check(str(tiny_models.POCKET))
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


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "model.ckpt", "x.pt"])
def test_pickled_weights_are_never_loaded(folder, name):
    for file in (folder / "unet").glob("*.safetensors"):
        file.unlink()
    (folder / "unet" / name).write_bytes(b"\x80\x04N.")
    assert refused(folder).code == "model.pickle"


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
    assert loading.check(str(folder)).kind == "instruct_edit"


def test_settings_that_are_no_json_are_refused(folder):
    (folder / "unet" / "config.json").write_text("{", encoding="utf-8")
    assert refused(folder).code == "model.bad"


def test_truncated_weights_end_in_one_sentence(folder):
    file = next((folder / "unet").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(errors.UserError) as caught:
        loading.load(str(folder), "cpu", "text_to_image")
    assert caught.value.code == "model.bad"


def test_weights_of_another_shape_end_in_one_sentence(folder):
    file = next((folder / "unet").glob("*.safetensors"))
    tensors = load_file(file)
    name = next(iter(tensors))
    tensors[name] = torch.zeros(3)
    save_file(tensors, file)
    with pytest.raises(errors.UserError) as caught:
        loading.load(str(folder), "cpu", "text_to_image")
    assert caught.value.code == "model.bad"


def test_a_text_to_image_model_is_no_editor(folder):
    with pytest.raises(errors.UserError) as caught:
        loading.load(str(folder), "cpu", "instruct_edit")
    assert caught.value.code == "model.shape"


def test_the_embedded_models_own_colour_matrix_is_used():
    stored = latent_rgb.stored(tiny_models.POCKET / "latent_rgb.json", 4)
    assert torch.equal(loading.load(str(tiny_models.POCKET), "cpu", "text_to_image").latent_rgb, stored)


def test_a_fitted_colour_matrix_is_kept_and_found_again(folder, private_home):
    first = loading.load(str(folder), "cpu", "text_to_image").latent_rgb
    assert list(private_home.rglob("latent_rgb/*.json"))
    assert torch.equal(loading.load(str(folder), "cpu", "text_to_image").latent_rgb, first)


def test_a_matrix_of_other_channels_is_not_taken(tmp_path):
    file = tmp_path / "latent_rgb.json"
    file.write_text(json.dumps({"matrix": [[0, 0, 0]] * 16}), encoding="utf-8")
    assert latent_rgb.stored(file, 4) is None


def test_flat_colours_come_back_through_the_embedded_autoencoder():
    model = loading.load(str(tiny_models.POCKET), "cpu", "text_to_image")
    colours = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.3, 0.8], [0.5, 0.5, 0.5]]).reshape(3, 3, 1, 1)
    with torch.no_grad():
        back = model.bridge.to_rgb(model.bridge.to_latents(colours.expand(3, 3, 64, 64), sample=False))
    middle = back[..., 16:48, 16:48].mean((2, 3), keepdim=True)
    assert float((middle - colours).abs().max()) < 0.06
