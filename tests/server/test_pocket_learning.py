"""Training by steps: resumable to the bit, and what comes out is a model folder like any other."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from maquette_server.guidance import loading
from maquette_server.pocket import __main__ as program
from maquette_server.pocket.drawing import instructions, words
from maquette_server.pocket.learning import (
    card,
    checkpoints,
    data,
    denoising,
    files,
    muon,
    optimising,
    tokenizer,
    training,
)
from maquette_server.pocket.learning.latents import Pool
from maquette_server.pocket.learning.recipe import POCKET, SMOKE
from maquette_server.pocket.refusals import Refused

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest run from nothing to model folders, by the command."""
    folder = tmp_path_factory.mktemp("pocket")
    for command in ("data", "train"):
        assert program.main([command, "--recipe", "smoke", "--out", str(folder)]) == 0
    return folder


def test_the_rate_rises_stays_and_falls() -> None:
    shares = [optimising.rate(step, 1000, warm=100, decay_from=0.7) for step in range(1000)]
    assert shares[0] == pytest.approx(0.01)
    assert shares[99:700] == [1.0] * 601
    assert shares[-1] < 0.03
    assert all(a <= b for a, b in itertools.pairwise(shares[:101]))
    assert all(a >= b for a, b in itertools.pairwise(shares[700:]))


def test_muon_makes_every_direction_of_a_step_about_as_large() -> None:
    torch.manual_seed(0)
    for shape in ((24, 60), (60, 24), (16, 16)):
        matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -1, shape[1]))
        values = torch.linalg.svdvals(muon.orthogonalised(matrix))
        assert 0.6 < float(values.min()) <= float(values.max()) < 1.25
        left, _, right = torch.linalg.svd(matrix, full_matrices=False)
        likeness = torch.nn.functional.cosine_similarity(
            muon.orthogonalised(matrix).flatten(), (left @ right).flatten(), dim=0
        )
        assert likeness > 0.98


def test_muon_goes_downhill_for_convolutions() -> None:
    torch.manual_seed(0)
    layer, wanted = torch.nn.Conv2d(3, 5, 3, bias=False), torch.nn.Conv2d(3, 5, 3, bias=False)
    run = optimising.Averaged(layer, 0.02, muon=True)
    picture = torch.randn(8, 3, 10, 10)
    losses = []
    for step in range(100):
        loss = (layer(picture) - wanted(picture).detach()).square().mean()
        losses.append(float(loss.detach()))
        run.update(loss, 1 - step / 100)
    assert losses[-1] < 0.05 * losses[0]


def test_the_tokenizer_takes_every_text(trained: Path) -> None:
    spoken = tokenizer.load(trained / "tokenizer")
    rows = data.tokens(spoken, ["a red ball", "Ünïcödé 球 🎈", "", "x" * 500])
    assert rows.shape == (4, tokenizer.LENGTH)
    assert int(rows.max()) < len(spoken)
    assert rows[0, 0] == spoken.bos_token_id
    assert rows[3, -1] == spoken.eos_token_id
    assert spoken.tokenize("A Red ball") == spoken.tokenize("a red ball")


def test_going_on_from_a_checkpoint_gives_the_same_weights(trained: Path, tmp_path: Path) -> None:
    for name in ("tokenizer", "captioned", "autoencoder"):
        (tmp_path / name).symlink_to(trained / name, target_is_directory=True)
    task, plan = denoising.TEXT_TO_IMAGE, replace(SMOKE.text_to_image, steps=6)
    stopped = denoising.train(task, plan, 0, tmp_path, CPU, save_every=3)
    assert next(stopped)["step"] == 3
    stopped.close()
    list(denoising.train(task, plan, 0, tmp_path, CPU))
    resumed = averages(tmp_path / task.name)
    (tmp_path / task.name / "state.safetensors").unlink()
    list(denoising.train(task, plan, 0, tmp_path, CPU))
    assert torch.equal(averages(tmp_path / task.name), resumed)


def test_marked_sentences_are_drawn_as_often_as_asked(tmp_path: Path) -> None:
    tokens = torch.zeros(100, tokenizer.LENGTH, dtype=torch.int16)
    tokens[10:20, 3], tokens[20:25, 5] = 7, 8
    latents = torch.zeros(100, 4, 16, 16)
    part = {"tokens": tokens, "mean": latents, "std": latents.clone()}
    files.write(tmp_path / "latents" / "captioned" / "0000.safetensors", part)
    groups = [torch.tensor([7]), torch.tensor([8, 9]), torch.tensor([5])]  # nobody says the last
    pool = Pool(tmp_path, "captioned", torch.nn.Identity(), CPU, groups)
    pool.grow(1)
    rows = pool.rows(np.random.default_rng(0), 20_000, [0.5, 0.2, 0.1]).numpy()
    assert np.mean((rows >= 10) & (rows < 20)) == pytest.approx(0.5 + 0.3 * 0.1, abs=0.015)
    assert np.mean((rows >= 20) & (rows < 25)) == pytest.approx(0.2 + 0.3 * 0.05, abs=0.015)
    rows = pool.rows(np.random.default_rng(0), 20_000).numpy()
    assert np.mean((rows >= 10) & (rows < 20)) == pytest.approx(0.1, abs=0.01)


def averages(folder: Path) -> torch.Tensor:
    kept = checkpoints.load(folder)
    assert kept is not None
    assert kept[1]["step"] == 6
    names = sorted(name for name in kept[0] if name.startswith("average."))
    return torch.cat([kept[0][name].flatten() for name in names])


def test_a_folder_is_never_continued_as_another_run(trained: Path) -> None:
    with pytest.raises(Refused, match="another seed or recipe"):
        data.claim(trained, 1, SMOKE)
    with pytest.raises(Refused, match="another seed or recipe"):
        data.claim(trained, 0, POCKET)
    assert program.main(["train", "--recipe", "smoke", "--seed", "3", "--out", str(trained)]) == 2


def test_training_without_data_is_refused_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["train", "--recipe", "smoke", "--out", str(tmp_path)]) == 2
    assert "Run `data` first" in capsys.readouterr().err
    assert program.main(["export", "--recipe", "smoke", "--out", str(tmp_path / "none")]) == 2
    assert "Run `train` first" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["text_to_image", "instruct"])
def test_a_denoiser_without_its_autoencoder_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    for name in ("tokenizer", "captioned", "edited", "views.safetensors", "data.json"):
        (tmp_path / name).symlink_to(trained / name)
    assert program.main(["train", "--recipe", "smoke", "--out", str(tmp_path), "--part", part]) == 2
    assert "Run `train --part autoencoder` first" in capsys.readouterr().err


def test_a_refused_training_leaves_nothing_behind(tmp_path: Path) -> None:
    assert program.main(["train", "--recipe", "smoke", "--out", str(tmp_path)]) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "kind"), [("pocket-t2i", "text_to_image"), ("pocket-edit", "instruct_edit")]
)
def test_what_was_trained_is_a_model_folder(trained: Path, name: str, kind: str) -> None:
    described = loading.check(str(trained / "models" / name))
    assert (described.kind, described.prediction, described.sample_size) == (kind, "v_prediction", 16)
    assert described.latent_rgb is not None
    facts = json.loads((trained / "models" / name / "training.json").read_text(encoding="utf-8"))
    assert (facts["seed"], facts["steps"]) == (0, 6)
    assert set(facts["sha256"]) == {
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
    }


def test_the_weights_are_the_averaged_ones_in_half_precision(trained: Path) -> None:
    model = loading.load(str(trained / "models" / "pocket-t2i"), "cpu", "text_to_image")
    kept = checkpoints.load(trained / "text_to_image")
    assert kept is not None
    for name, weight in model.denoiser.unet.unet.named_parameters():
        assert torch.equal(weight, kept[0]["average.unet." + name].half().float())


def test_the_card_and_the_word_list_name_all_colours_and_materials() -> None:
    known = {word for group in card.vocabulary("text_to_image").values() for word in group}
    assert set(words.COLOURS) <= known
    assert {word for row in words.MATERIAL_ADJECTIVES.values() for word in row} <= known
    for task in training.TASKS:
        text = card.text(task.name)
        assert all(colour in text for colour in words.COLOURS)
        assert "GPL-3.0-or-later" in text


def test_the_editor_knows_no_word_that_was_never_said_to_it() -> None:
    said = {word for sentence in instructions.sentences(6000, 0) for word in sentence.split()}
    known = card.vocabulary("instruct")
    assert {word for name in ("colours", "materials", "patterns") for word in known[name]} <= said
    assert said <= {word for group in known.values() for word in group}


def test_a_tokenizer_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer").mkdir()
    with pytest.raises(Refused, match="holds no tokenizer"):
        tokenizer.load(tmp_path / "tokenizer")


def test_a_folder_takes_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "models" / "one"
    for text in ("first", "second"):
        with files.whole(place) as waiting:
            (waiting / text).touch()
        assert [path.name for path in place.iterdir()] == [text]
    with pytest.raises(KeyError), files.whole(place) as waiting:
        raise KeyError
    assert [path.name for path in place.iterdir()] == ["second"]


def test_weights_are_never_exported_as_another_recipe_s(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["export", "--out", str(trained), "--models", str(tmp_path)]) == 2
    assert "another seed or recipe" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_check_is_shared_by_one_process_or_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["check", "--out", str(tmp_path / "new"), "--workers", "0"]) == 2
    assert "--workers must be 1 or more" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_an_exported_folder_does_not_say_where_it_was_made(trained: Path) -> None:
    for path in (trained / "models").rglob("*.json"):
        assert str(trained) not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--seed", "-1"), "A seed must be 0 or more"),
        (("--threads", "0"), "--threads must be 1 or more"),
        (("--device", "gpu0"), "There is no device 'gpu0'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    options: tuple[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["data", "--out", str(tmp_path / "new"), *options]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_an_error_counts_more_where_an_edit_changes_nothing() -> None:
    before = torch.zeros(2, 4, 4, 4)
    after = before.clone()
    after[0, :, :2] = 1.0
    weight = denoising.keeping(after, before)
    assert weight.mean((1, 2, 3)).tolist() == pytest.approx([1, 1])
    assert float(weight[0, 0, 3, 0] / weight[0, 0, 0, 0]) == pytest.approx(8)
    assert float(weight[1].std()) == 0
