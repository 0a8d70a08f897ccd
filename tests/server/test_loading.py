"""Facts about loading models: what comes out, and what ends in one sentence."""

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


def edit(file: Path, **changes) -> None:
    settings = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(settings | changes), encoding="utf-8")


def test_truncated_weights_end_in_one_sentence(folder):
    file = next((folder / "unet").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(errors.UserError) as caught:
        loading.load(str(folder), "cpu", "text_to_image")
    assert caught.value.code == "model.bad"


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("text_encoder/config.json", {"num_attention_heads": 3}),
        ("text_encoder/config.json", {"vocab_size": "many"}),
        ("unet/config.json", {"norm_num_groups": 0}),
        ("vae/config.json", {"act_fn": "x"}),
        ("scheduler/scheduler_config.json", {"beta_schedule": "x"}),
        ("scheduler/scheduler_config.json", {"beta_start": None}),
        ("tokenizer/tokenizer.json", {"model": 3}),
    ],
)
def test_settings_that_make_no_sense_to_the_libraries_end_in_one_sentence(folder, file, change):
    edit(folder / file, **change)
    with pytest.raises(errors.UserError) as caught:
        loading.load(str(folder), "cpu", "text_to_image")
    assert caught.value.code == "model.bad"
    assert "\n" not in caught.value.line()


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
