"""The training pictures: what the captions and instructions say is what the pixels show."""

import math

import numpy as np
import pytest
import torch
from maquette_server.cameras import pinhole, sampling
from maquette_server.pocket.drawing import (
    buffers,
    grades,
    instructions,
    looks,
    noise,
    pictures,
    shapes,
    surfaces,
    words,
)
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def views() -> buffers.Views:
    return buffers.render(24, 5)


@pytest.mark.parametrize("family", shapes.FAMILIES, ids=lambda family: family.name)
def test_every_thing_fills_the_unit_ball(family: shapes.Family) -> None:
    positions, triangles = family.build(np.random.default_rng(0))
    distance = np.linalg.norm(positions, axis=1)
    assert distance.max() == pytest.approx(1, abs=1e-5)
    assert triangles.min() >= 0
    assert triangles.max() < len(positions)
    assert np.isfinite(positions).all()


def test_normals_of_what_is_seen_face_the_camera(views: buffers.Views) -> None:
    chosen = np.arange(len(views))
    place, normal, pixel = views.gathered(chosen, torch.device("cpu"))
    seen = pixel < buffers.SIDE**2
    assert seen.sum(1).tolist() == views.hits(chosen).tolist()
    assert place[seen].norm(dim=-1).max() <= 1.001
    assert torch.allclose(normal[seen].norm(dim=-1), torch.ones(int(seen.sum())), atol=0.02)
    # towards the camera: most normals have a positive part along its backward axis (perspective bends a few)
    along = torch.einsum("nmc,nc->nm", normal, views.axes[:, 2])
    assert (along[seen] > -0.3).float().mean() > 0.98


def test_views_survive_saving(views: buffers.Views, tmp_path) -> None:
    save_file(views.tensors(), tmp_path / "views.safetensors")
    again = buffers.Views.load(tmp_path / "views.safetensors")
    assert torch.equal(views.pixel, again.pixel)
    assert torch.equal(views.place, again.place)


def test_captions_name_the_side_as_the_painting_does() -> None:
    ball = buffers.Thing([family.name for family in shapes.FAMILIES].index("ball"), np.random.default_rng(0))
    angles = {(0, 0): "front", (90, 10): "side", (180, 10): "back", (-90, 0): "side"}
    angles |= {(20, 70): "overhead", (0, -65): "bottom"}
    for (azimuth, elevation), word in angles.items():
        eye = 3 * buffers.towards(azimuth, elevation)
        matrix = pinhole.look_at(eye, np.zeros(3), np.array([0.0, 1.0, 0.0]))
        seen = ball.seen(azimuth, elevation, pinhole.Pinhole.from_fov(matrix, 1.0, 64, 64))
        assert sampling.VIEW_WORDS[seen.word] == word
        # the middle of what is seen of a ball lies towards the camera
        assert (seen.place.mean(0) @ eye) / np.linalg.norm(eye) > 0.5


def test_waves_have_about_unit_amplitude_and_are_fixed_by_their_dice() -> None:
    rng = np.random.default_rng(0)
    dice = torch.from_numpy(rng.random((4, 32)))
    points = torch.from_numpy(rng.uniform(-1, 1, (4, 5000, 3)))
    field = noise.waves(points, dice, 2.0)
    assert torch.equal(field, noise.waves(points, dice, 2.0))
    assert 0.4 < float(field.std()) < 1.0  # of a sine: 0.71
    assert abs(float(field.mean())) < 0.1


RIGHT = torch.tensor([[1.0, 0, 0]])  # of a camera that looks at the front


def sample(
    kind: str, count: int = 4000, seed: int = 1, turn: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places [1, M, 3] on the plane z = 0.3 that faces +z, and what colour they have, 1 for the first.

    `turn` [3, 3] turns the plane and the camera alike before the colour is looked up.
    """
    flat = np.random.default_rng(seed).uniform(-0.9, 0.9, (count, 2))
    place = torch.tensor(np.column_stack([flat, np.full(count, 0.3)]), dtype=torch.float32)[None]
    normal = torch.tensor([0.0, 0, 1]).expand_as(place)
    first, second = torch.ones(1, 3), torch.zeros(1, 3)
    dice = torch.rand(1, surfaces.DICE, generator=torch.Generator().manual_seed(seed))
    way = torch.eye(3) if turn is None else turn
    drawn = surfaces.surface(kind, place @ way.T, normal @ way.T, RIGHT @ way.T, first, second, dice)
    return place, drawn.albedo[..., 0]


def test_stripes_and_checks_share_the_surface_equally() -> None:
    for kind in ("stripes", "checks"):
        shares = [float(sample(kind, seed=seed)[1].mean()) for seed in range(40)]
        assert np.mean(shares) == pytest.approx(0.5, abs=0.08)  # whole periods or not


@pytest.mark.parametrize(("kind", "colour"), [("stripes", 1), ("checks", 1), ("dots", 0)])
def test_patterns_lie_in_the_same_place_on_every_thing(kind: str, colour: int) -> None:
    dice = torch.rand(200, surfaces.DICE, generator=torch.Generator().manual_seed(0))
    middle = torch.tensor([0.0, 0.0, 0.01]).expand(200, 1, 3)
    ones = torch.ones(200, 3)
    ahead = torch.tensor([0.0, 0, 1]).expand(200, 1, 3)
    drawn = surfaces.surface(kind, middle, ahead, RIGHT.expand(200, 3), ones, 0 * ones, dice)
    assert (drawn.albedo == colour).all()


@pytest.mark.parametrize("kind", ["checks", "dots"])
@pytest.mark.parametrize("degrees", [37.0, 90.0, 200.0])
def test_squares_and_discs_stand_square_to_the_camera(kind: str, degrees: float) -> None:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = torch.tensor([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    (_, before), (_, after) = sample(kind), sample(kind, turn=turn)
    assert float((before == after).float().mean()) > 0.999  # rounding at an edge


@pytest.mark.parametrize("kind", ["checks", "dots"])
def test_squares_and_discs_lie_flat_on_what_is_level(kind: str) -> None:
    onto_its_back = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # +z becomes +y, +y becomes -z
    (_, upright), (_, level) = sample(kind), sample(kind, turn=onto_its_back)
    assert 0.15 < float(level.mean()) < 0.85
    place, _ = sample(kind)
    mirrored = place * torch.tensor([1.0, -1.0, 1.0])  # what was up is away from the camera now
    dice = torch.rand(1, surfaces.DICE, generator=torch.Generator().manual_seed(1))
    ahead = torch.tensor([0.0, 0, 1]).expand_as(place)
    there = surfaces.surface(kind, mirrored, ahead, RIGHT, torch.ones(1, 3), torch.zeros(1, 3), dice)
    assert float((level == there.albedo[..., 0]).float().mean()) > 0.999
    assert float((upright == level).float().mean()) < 0.999


def test_upright_stripes_depend_on_the_height_alone() -> None:
    place, colour = sample("stripes")
    order = place[0, :, 1].argsort()
    changes = colour[0, order].diff().abs().sum()
    assert 4 <= int(changes) <= 7  # 1.8 units of height, 1.4 to 1.7 periods a unit, two edges each


def test_dots_cover_what_their_radius_says() -> None:
    assert float(1 - sample("dots", 20_000)[1].mean()) == pytest.approx(math.pi * 0.3**2, abs=0.06)


def test_all_materials_are_colours() -> None:
    place, _ = sample("plain", 500)
    normal = torch.tensor([0.0, 1, 0]).expand_as(place)
    for kind in words.KINDS:
        dice = torch.rand(1, surfaces.DICE, generator=torch.Generator().manual_seed(0))
        grays = torch.full((1, 3), 0.5), torch.full((1, 3), 0.2)
        drawn = surfaces.surface(kind, place, normal, RIGHT, *grays, dice)
        assert drawn.albedo.shape == place.shape
        assert 0 <= float(drawn.albedo.min()) <= float(drawn.albedo.max()) <= 1.1


def test_captions_name_the_colours_that_are_there() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        look = looks.draw(rng)
        said = looks.caption(rng, look, ("ball",), "front", "")
        if look.kind in words.MATERIALS:
            known = [*words.MATERIAL_ADJECTIVES[look.kind], *words.MATERIAL_NOUNS[look.kind]]
            assert any(word in said for word in known), said
        else:
            assert look.colour in said
            assert look.other in said or look.other == looks.companion(look.colour)


def test_a_colour_edit_changes_the_thing_and_nothing_else(views: buffers.Views) -> None:
    stage = pictures.Stage(views)
    rng = np.random.default_rng(3)
    settings = [pictures.setting(rng, len(views), clutter=0.0, named=0.0) for _ in range(6)]
    before = [looks.plain(rng, "red") for _ in settings]
    edit = instructions.colour(rng, "blue")
    after = [instructions.repainted(rng, look, edit) for look in before]
    (red, alpha), (blue, same) = stage.things(settings, before), stage.things(settings, after)
    assert torch.equal(alpha, same)
    assert float((red - blue).abs()[(alpha == 0).expand_as(red)].max()) == 0
    inside = (alpha == 1).expand_as(red)
    assert float(red[:, 0:1][inside[:, 0:1]].mean()) > 2 * float(red[:, 2:3][inside[:, :1]].mean())
    assert float(blue[:, 2:3][inside[:, :1]].mean()) > 2 * float(blue[:, 0:1][inside[:, :1]].mean())


def test_a_colour_edit_leaves_no_pattern() -> None:
    rng = np.random.default_rng(4)
    striped = looks.pattern(rng, "stripes", "red", "white")
    assert instructions.repainted(rng, striped, instructions.colour(rng, "blue")).kind == "plain"
    assert (
        instructions.repainted(rng, looks.material(rng, "wood"), instructions.colour(rng, "blue")).gloss == 0
    )


def test_pictures_are_the_same_for_the_same_seed_and_part(views: buffers.Views) -> None:
    one, two = (pictures.captioned(views, 6, 7, 3) for _ in range(2))
    assert one.captions == two.captions
    assert torch.equal(one.pictures, two.pictures)
    assert one.captions != pictures.captioned(views, 6, 7, 4).captions


def test_clutter_is_never_the_thing_itself(views: buffers.Views) -> None:
    stage = pictures.Stage(views)
    rng = np.random.default_rng(5)
    square = torch.ones(1, 4, 64, 64)
    pair = torch.cat([square, 0 * square])  # a thing that fills its frame, and none
    changed = 0
    for _ in range(20):
        settings = [pictures.setting(rng, len(views), clutter=1.0, named=0.0) for _ in range(2)]
        without = stage.backgrounds(settings)
        behind = stage.backgrounds(settings, (pair[:, :3], pair[:, 3:]))
        assert torch.equal(behind[0], without[0])
        changed += not torch.equal(behind[1], without[1])
    assert changed > 10


def test_a_part_of_edits_has_both_sides(views: buffers.Views) -> None:
    found = instructions.edited(views, 12, 0, 0)
    assert found.before.shape == found.after.shape == (12, 3, 64, 64)
    changed = (found.before != found.after).flatten(1).any(1)
    assert changed.float().mean() > 0.7  # "make it red" of a red thing may change nothing
    assert {edit.kind for edit in found.edits} <= {
        "colour",
        "material",
        "pattern",
        "grade",
        "background",
    }


def test_grades_are_their_formulas() -> None:
    picture = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    grey = grades.graded(picture, "black and white")
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert torch.allclose(grades.graded(picture, "dark"), 0.45 * picture)
    assert (grades.graded(picture, "bright") >= picture).all()
    night = grades.graded(picture, "night").mean((0, 2, 3))
    assert night[2] > night[0]
    with pytest.raises(ValueError, match="teatime"):
        grades.graded(picture, "teatime")
