"""Facts about the classifier of materials that the check asks, and about the renders it is asked on."""

import numpy as np
import pytest
import torch
from maquette_server.pocket import __main__ as program
from maquette_server.pocket.checking import judge, judge_training, kit, renders, run, views
from maquette_server.pocket.drawing.pictures import Stage
from maquette_server.pocket.drawing.shapes import FAMILIES
from maquette_server.pocket.refusals import Refused

FOLDER = run.WEIGHTS / "judge"


@pytest.fixture(scope="module")
def few():
    return views.cast(("ball", "cube", "mug", "house", "teddy", "car") * 3, seed=7)


def test_one_view_each_of_what_was_asked_for(few):
    assert [FAMILIES[family].name for family in few.family[:3].tolist()] == ["ball", "cube", "mug"]
    assert (few.start.diff() > 0.1 * 128 * 128).all()
    assert few.place.float().norm(dim=1).max() <= 1.01
    # on the unit ball the normal is the place itself
    ball = slice(0, int(few.start[1]))
    assert (few.place[ball].float() * few.normal[ball].float() / 127).sum(-1).min() > 0.97


def test_the_same_seed_casts_the_same_views(few):
    again = views.cast(("ball", "cube"), seed=7)
    assert torch.equal(again.pixel, few.pixel[: len(again.pixel)])


def test_blotches_are_half_of_each_colour():
    assert renders.blotches(64, np.random.default_rng(0)).mean() == pytest.approx(0.5, abs=0.01)


def test_softening_keeps_shape_and_range():
    rng = np.random.default_rng(0)
    pictures = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for _ in range(8):
        made = judge_training.soft(pictures, rng)
        assert made.shape == pictures.shape
        assert made.dtype == torch.float32
        assert made.min() >= 0
        assert made.max() <= 1


def test_a_thing_alone_is_before_grey():
    picture, coverage = torch.ones(1, 3, 4, 4), torch.zeros(1, 4, 4)
    coverage[0, :2] = 1
    made = judge_training.alone(picture, coverage)
    assert (made[0, :, :2] == 1).all()
    assert (made[0, :, 2:] == 0.5).all()


def test_what_is_saved_judges_alike_in_half_precision(tmp_path):
    torch.manual_seed(0)
    made = judge.Judge().eval()
    judge.save(made, tmp_path)
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(judge.load(tmp_path)(pictures), made(pictures), atol=0.02, rtol=0.02)


def test_a_folder_without_a_judge_is_refused(tmp_path):
    with pytest.raises(Refused, match="holds no judge"):
        judge.load(tmp_path)


def test_the_shipped_judge_is_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 300_000


def test_the_shipped_judge_is_right_on_renders_it_has_not_seen(few):
    rng = np.random.default_rng(3)
    kinds = [kind for kind in judge.CLASSES for _ in range(6)]
    where = renders.settings(few, rng.permutation(len(few)), len(kinds), rng)
    drawn = renders.draw(Stage(few), where, [renders.look(kind, rng) for kind in kinds])
    found = judge.load(FOLDER).materials(drawn.pictures)
    assert np.mean([a == judge.answer(b) for a, b in zip(found, kinds, strict=True)]) >= 0.9


def test_the_seed_that_judges_are_measured_on_is_not_the_one_they_learnt_from():
    assert kit.SEED != program.JUDGE_SEED
