"""What CLIP says of edits: the published measures on numbers, and pictures and texts by random weights."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import tiny_models
import torch
from hypothesis import given
from hypothesis import strategies as st
from maquette_server import config
from maquette_server.cli.app import app
from maquette_server.metrics import clip
from maquette_wire.errors import UserError
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer
from typer.testing import CliRunner


def rows(*values: list[float]) -> torch.Tensor:
    return torch.tensor(values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_models.clip_like(tmp_path_factory.mktemp("clip") / "tiny")


def test_the_direction_is_that_of_the_sheet():
    found = clip.direction(
        rows([1, 0, 0.0]),
        rows([0.6, 0.8, 0]),
        torch.tensor([0, 1, 0.0]),
        torch.tensor([0, 0.6, 0.8]),
    )
    assert found == pytest.approx(-0.4, abs=1e-6)


def test_the_direction_is_the_mean_over_those_views_that_went_anywhere():
    before = rows([1, 0, 0], [1, 0, 0], [0, 1, 0.0])
    after = rows([0, 1, 0], [1, 0, 0], [1, 0, 0.0])
    way = torch.tensor([1, 0, 0.0]), torch.tensor([0, 1, 0.0])
    assert clip.direction(before, after, *way) == pytest.approx(0.0, abs=1e-6)
    assert clip.direction(before[:2], after[:2], *way) == pytest.approx(1.0, abs=1e-6)
    assert clip.direction(before[1:2], after[1:2], *way) is None
    assert clip.direction(before, after, way[0], way[0]) is None


def test_the_three_consistencies_tell_three_things_apart():
    """a: both went the same way from view to view; b: the edit went another way in each; c: neither."""
    before, before_next = rows([1, 0, 0, 0.0]), rows([0, 1, 0, 0.0])
    after, after_next = rows([1, 0, 1, 0.0]) / 2**0.5, rows([0, 1, 1, 0.0]) / 2**0.5
    found = clip.consistency(before, after, before_next, after_next)
    assert found["a"] == pytest.approx(1.0, abs=1e-6)
    assert found["c"] == pytest.approx(0.5, abs=1e-6)
    lengths = (after - before).norm() * (after_next - before_next).norm()
    expected = float(((after - before) * (after_next - before_next)).sum() / lengths)
    assert found["b"] == pytest.approx(expected, abs=1e-6)
    assert expected == pytest.approx(0.8536, abs=1e-4)


@given(st.integers(0, 2**31 - 1), st.integers(1, 5))
def test_an_edit_that_changes_nothing_has_no_direction_and_moves_as_before(seed, count):
    values = functional.normalize(
        torch.randn(2, count, 6, generator=torch.Generator().manual_seed(seed)), dim=-1
    )
    before, further = values
    found = clip.consistency(before, before, further, further)
    assert found["a"] == pytest.approx(1.0, abs=1e-5)
    assert found["b"] is None
    assert clip.direction(before, before, before[0], further[0]) is None


def test_pictures_and_texts_are_embedded_as_by_the_library(folder):
    judge = clip.load(folder)
    model = CLIPModel.from_pretrained(folder)
    pictures = torch.rand(2, 3, 32, 32)
    mean, deviation = (torch.tensor(each).view(1, 3, 1, 1) for each in (clip._MEAN, clip._DEVIATION))
    found = judge.pictures(pictures)
    with torch.inference_mode():
        seen = model.vision_model(pixel_values=(pictures - mean) / deviation)
        expected = functional.normalize(model.visual_projection(seen.pooler_output), dim=-1)
    torch.testing.assert_close(found, expected)
    words = ["a blue cube", "night"]
    tokens = CLIPTokenizer.from_pretrained(folder)(words, padding=True, return_tensors="pt")
    with torch.inference_mode():
        read = model.text_model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
        expected = functional.normalize(model.text_projection(read.pooler_output), dim=-1)
    torch.testing.assert_close(judge.texts(words), expected, atol=1e-5, rtol=1e-4)


def test_the_whole_of_a_picture_is_seen(folder):
    """Squashed, not cut: what lies at its far end counts."""
    judge = clip.load(folder)
    wide = torch.zeros(1, 3, 40, 200)
    marked = wide.clone()
    marked[..., -20:] = 1
    found = judge.pictures(torch.cat([wide, marked]))
    assert found.shape == (2, 12)
    assert float((found[0] - found[1]).norm()) > 1e-3
    with pytest.raises(ValueError, match="pictures are"):
        judge.pictures(torch.zeros(3, 8, 8))


def test_a_long_text_is_cut(folder):
    judge = clip.load(folder)
    assert judge.texts(["blue " * 200]).shape == (1, 12)


def broken(folder: Path, target: Path, how: str) -> Path:
    tiny = tiny_models.clip_like(target)
    weights = tiny / "model.safetensors"
    if how == "nothing":
        (tiny / "config.json").unlink()
    elif how == "no weights":
        weights.unlink()
    elif how == "cut short":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif how == "half of it":
        held = safetensors.torch.load_file(weights)
        held.pop("visual_projection.weight")
        safetensors.torch.save_file(held, weights, {"format": "pt"})
    elif how == "pickled":
        torch.save(safetensors.torch.load_file(weights), tiny / "pytorch_model.bin")
        weights.unlink()
    return tiny


@pytest.mark.parametrize("how", ["nothing", "no weights", "cut short", "half of it", "pickled"])
def test_a_folder_that_cannot_be_used_is_refused_and_changes_no_configuration(
    folder, how, private_home, tmp_path
):
    place = broken(folder, tmp_path / "clip", how)
    with pytest.raises(UserError) as refused:
        clip.load(place)
    assert refused.value.code == "clip.missing"
    assert "\n" not in refused.value.line()
    assert "maquette models clip" in refused.value.hint
    ended = CliRunner().invoke(app, ["models", "clip", str(place)])
    assert ended.exit_code == 2
    assert config.load(config.data_folder()).clip == ""


def test_a_folder_is_configured_by_a_command_and_listed(folder, private_home):
    ended = CliRunner().invoke(app, ["models", "clip", str(folder), "--json"])
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["clip"] == "tiny"
    assert config.load(config.data_folder()).clip == str(folder)
    listed = CliRunner().invoke(app, ["models", "list", "--json"])
    assert [json.loads(line)["kind"] for line in listed.stdout.splitlines()].count("clip") == 1
