"""Facts about whole edits of a ball's scene, in this process: by random weights, and by the pocket editor."""

import dataclasses
import io
import json
import shutil
from pathlib import Path
from typing import Any

import ball_captures
import captures
import numpy as np
import pytest
import scene_jobs
import tiny_models
import torch
from maquette_server.cameras.lens import Lens
from maquette_server.datasets import writing
from maquette_server.fields import grid
from maquette_server.guidance import instruct_edit, loading
from maquette_server.methods import base
from maquette_server.methods.instruct_nerf2nerf import METHOD, relearning
from maquette_server.methods.instruct_nerf2nerf import settings as edit_settings
from maquette_server.metrics import clip
from maquette_server.rendering.posed import Posed
from maquette_server.scenes import folder, runtime
from maquette_server.scenes.files import SceneFiles
from maquette_server.training import loop, pixels
from maquette_wire.errors import UserError
from PIL import Image

NAME = METHOD.name


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with pytest.MonkeyPatch.context() as patch:
        scene_jobs.make_quick(patch)
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> loading.InstructEdit:
    place = tiny_models.editor_like(tmp_path_factory.mktemp("model") / "tiny")
    return loading.load(str(place), "cpu", "instruct_edit")


@pytest.fixture(scope="module")
def pocket() -> loading.InstructEdit:
    return loading.load(str(tiny_models.POCKET_EDIT), "cpu", "instruct_edit")


@pytest.fixture(scope="module")
def ball(tmp_path_factory) -> Path:
    """A scene of the ball, with transparency: 12 views, 9 of them learnt from."""
    place = tmp_path_factory.mktemp("ball")
    ball_captures.write(place / "data", 12)
    made = scene_jobs.finish(
        "reconstruct", scene_jobs.reconstruct(place / "data", place / "store", steps=150)
    )
    return scene_jobs.write(made, place / "scene")


def job(scene: Path, place: Path, model: Any, **options: Any) -> base.RunContext:
    def given(kind: str) -> Any:
        if kind == "instruct_edit":
            return model
        raise UserError("model.not_found", f"No model of the kind {kind} was chosen.")

    asked = {"prompt": "make it blue", "calls": 3, "views": 4, "lpips": "off"} | options
    if not {"steps", "seconds"} & set(options):
        asked["steps"] = 12
    return scene_jobs.of_scene(NAME, scene, place / "store", model=given, **asked)


def edited(scene: Path, place: Path, model: Any, watch=lambda step: None, **options: Any) -> base.Result:
    return scene_jobs.finish(NAME, job(scene, place, model, **options), watch)


def refusal(scene: Path, place: Path, model: Any, **options: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        edited(scene, place, model, **options)
    assert "\n" not in caught.value.line()
    return caught.value


def test_an_edit_is_a_scene_with_its_pictures_and_moments(ball, model, tmp_path):
    result = edited(ball, tmp_path, model)
    files = scene_jobs.files(result)
    scene = scene_jobs.write(result, tmp_path / "edited")
    opened = runtime.open_scene(SceneFiles.of_folder(scene))
    before = runtime.open_scene(SceneFiles.of_folder(ball))
    assert opened.record.parent == folder.Parent(id=before.record.id, name=before.record.name)
    assert opened.record.id != before.record.id
    assert opened.record.method == NAME
    assert opened.record.step == 12
    assert opened.cameras == before.cameras
    for path in before_files(ball, "images"):
        assert files[path] == (ball / path).read_bytes(), "an original was changed"
    pictures = [path for path in files if path.startswith("edited/")]
    assert len(pictures) == result.figures["edited_views"] == 4
    stems = {Path(camera.image or "").stem for camera in before.cameras if camera.split == "train"}
    assert {Path(path).stem for path in pictures} <= stems
    for path in pictures:
        with Image.open(next((ball / "images").glob(f"{Path(path).stem}.*"))) as original:
            assert Image.open(io.BytesIO(files[path])).size == original.size
    moments = opened.record.moments
    assert moments[0] == 0
    assert moments[-1] == 12
    for step in moments:
        assert files[folder.moment_path(step)]
        assert Image.open(io.BytesIO(files[folder.moment_path(step, "view.png")])).size == (32, 32)
    assert files[folder.moment_path(12)] == files[folder.checkpoint_path(12)]
    assert Image.open(io.BytesIO(files["preview.png"])).size == (4 * 192, 3 * 192)


def before_files(scene: Path, sub: str) -> list[str]:
    return [f"{sub}/{path.name}" for path in sorted((scene / sub).iterdir())]


def test_the_first_moment_is_the_scene_as_it_was(ball, model, tmp_path):
    scene = scene_jobs.write(edited(ball, tmp_path, model), tmp_path / "edited")
    first = (scene / folder.moment_path(0)).read_bytes()
    newest = max((ball / "checkpoints").iterdir())
    assert first == (newest / "field.safetensors").read_bytes()


def test_an_edited_scene_is_edited_again_and_evaluated(ball, model, tmp_path):
    first = scene_jobs.write(edited(ball, tmp_path / "1", model), tmp_path / "first")
    again = edited(first, tmp_path / "2", model, prompt="make it red", steps=4)
    record = json.loads(scene_jobs.files(again)["scene.json"])
    assert record["parent"]["name"] == "make it blue"
    evaluated = scene_jobs.finish(
        "evaluate", scene_jobs.of_scene("evaluate", first, tmp_path / "evaluated", split="test")
    )
    assert evaluated.figures["split"] == "test"


def test_going_on_from_a_checkpoint_changes_no_bit(ball, model, tmp_path):
    """Five views are two batches: some of the states lie between the two of a pass."""
    states: list[base.State] = []

    def watch(step: base.Step) -> None:
        if step.stage == "edit" and step.state is not None:
            states.append(step.state())

    whole = edited(ball, tmp_path, model, watch, steps=8, views=5, calls=2)
    edits = [state.values["edits"] for state in states]
    chosen = {edits.index(1), len(states) - edits[::-1].index(3) - 1}
    files = [state.values["files"] for state in states]
    inside = [n for n in range(1, len(states)) if edits[n] == edits[n - 1] and files[n] != files[n - 1]]
    assert len(inside) > 4, "no state lies between two views of a batch"
    chosen |= {inside[0], inside[-2]}
    for number in sorted(chosen):
        resumed = edited(ball, tmp_path, model, steps=8, views=5, calls=2, state=states[number])
        assert scene_jobs.files(resumed) == scene_jobs.files(whole), (number, edits[number])
        assert resumed.figures["network_calls"] == whole.figures["network_calls"]


def test_views_of_two_sizes_are_edited(model, tmp_path):
    wide = Lens(48, 32, 40.0, 40.0, 24.0, 16.0)
    made = ball_captures.write(tmp_path / "data", 8)
    frames = list(made.frames)
    for number in (0, 3):
        pose = frames[number].world_from_camera
        path = captures.save(tmp_path / f"data/images/{number:03d}.png", ball_captures.picture(pose, wide))
        frames[number] = dataclasses.replace(frames[number], lens=wide, image=path)
    writing.write(dataclasses.replace(made, frames=tuple(frames)), tmp_path / "data")
    job = scene_jobs.reconstruct(tmp_path / "data", tmp_path / "made", steps=20)
    scene = scene_jobs.write(scene_jobs.finish("reconstruct", job), tmp_path / "scene")
    result = edited(scene, tmp_path, model, views=6, steps=4)
    assert result.figures["edited_views"] == 6


def test_with_lpips_what_is_masked_is_not_learnt(model, tmp_path):
    """Half of every picture is masked; squares are drawn all over them."""
    made = ball_captures.write(tmp_path / "data", 6)
    picture = pixels.Picture(
        Posed(made.frames[0].world_from_camera, made.frames[0].lens),
        np.zeros((36, 36, 3), np.uint8),
        np.arange(36)[None].repeat(36, 0) < 18,
    )
    plain = pixels.Picture(picture.camera, picture.pixels)
    domain = runtime.Domain((0.0, 0.0, 0.0), 1.0, False)
    drawn = pixels.Pixels([picture, plain], domain, 0.1, 10.0).draw_patches(
        20, 8, torch.Generator().manual_seed(0)
    )
    assert drawn.known is not None
    assert drawn.known[drawn.pictures == 1].all()
    share = float(drawn.known[drawn.pictures == 0].float().mean())
    assert 0.1 < share < 0.9


def test_stopping_keeps_what_there_is(ball, model, tmp_path):
    result = edited(ball, tmp_path, model, lambda step: step.stage == "edit" and step.step >= 3)
    assert result.figures["steps"] < 12
    assert runtime.open_scene(SceneFiles.of_folder(scene_jobs.write(result, tmp_path / "scene")))


def test_stopping_in_the_middle_of_the_first_edit_gives_the_scene_as_it_was(ball, model, tmp_path):
    result = edited(ball, tmp_path, model, lambda step: step.stage == "edit")
    assert result.figures["steps"] == 0
    assert result.figures["edited_views"] == 0
    newest = max((ball / "checkpoints").iterdir())
    expected = (newest / "field.safetensors").read_bytes()
    assert scene_jobs.files(result)[folder.checkpoint_path(0)] == expected


def test_a_snapshot_is_a_scene(ball, model, tmp_path):
    taken: list[base.Snapshot] = []

    def watch(step: base.Step) -> None:
        if step.step == 6 and step.snapshot is not None and not taken:
            taken.append(step.snapshot(16))

    edited(ball, tmp_path, model, watch)
    assert max(taken[0].preview.shape[:2]) <= 16
    names = {item.name for item in taken[0].items}
    assert {"scene.json", "cameras.json"} <= names


def test_the_published_way_learns_from_all_pictures(ball, model, tmp_path, monkeypatch):
    weighed: list[dict[int, float]] = []
    own = pixels.Pixels.weigh
    monkeypatch.setattr(pixels.Pixels, "weigh", lambda self, told: weighed.append(told) or own(self, told))
    result = edited(ball, tmp_path, model, preset="classic", views=None, steps=25)
    assert weighed == [{}]
    assert result.figures["edits"] == 3
    assert result.figures["edited_views"] == 3
    assert result.preset == "classic"


def test_a_trial_is_one_sheet(ball, model, tmp_path):
    result = edited(ball, tmp_path, model, trial=True)
    sheet = Image.open(io.BytesIO(scene_jobs.files(result)["try.png"]))
    assert sheet.width > 3 * 3 * 100
    assert len(result.figures["tried"]) == 9
    assert all(0 <= share <= 1 for one in result.figures["tried"] for share in one["changed"])


def test_an_editor_that_changes_nothing_is_told_of(ball, model, tmp_path, monkeypatch):
    def unchanged(self, starts, conditions, strength, generators):
        yield
        return torch.stack([self.round_trip(one[None])[0] for one in starts])

    monkeypatch.setattr(instruct_edit.InstructionEditor, "edit", unchanged)
    monkeypatch.setattr(instruct_edit.InstructionEditor, "round_trip", lambda self, pictures: pictures)
    warnings: list[tuple[str, str]] = []
    result = edited(ball, tmp_path, model, warnings=warnings, steps=6)
    assert "edit.nothing" in [code for code, _ in warnings]
    assert result.figures["changed"] < 0.005
    assert result.figures["psnr_outside"] > 30


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"prompt": "  "}, "prompt.empty", "empty"),
        ({"steps": 3, "seconds": 3.0}, "params.bad", "both"),
        ({"lpips": "on"}, "lpips.missing", "LPIPS"),
    ],
)
def test_bad_settings_are_refused(ball, model, tmp_path, change, code, words):
    found = refusal(ball, tmp_path, model, **change)
    assert found.code == code
    assert words in found.sentence


def test_a_scene_without_pictures_is_refused(ball, model, tmp_path):
    scene = copied(ball, tmp_path / "sculpted")
    rows = json.loads((scene / "cameras.json").read_text())
    for row in rows["frames"]:
        row["image"] = None
    (scene / "cameras.json").write_text(json.dumps(rows))
    found = refusal(scene, tmp_path, model)
    assert found.code == "scene.bad"
    assert "not learnt from pictures" in found.sentence


def test_a_scene_of_another_format_is_refused(ball, model, tmp_path):
    scene = copied(ball, tmp_path / "newer")
    record = json.loads((scene / "scene.json").read_text())
    (scene / "scene.json").write_text(json.dumps(record | {"format": 9}))
    assert "format 9" in refusal(scene, tmp_path, model).sentence


def test_a_field_of_mip_nerf_is_refused(model, tmp_path):
    ball_captures.write(tmp_path / "data", 6)
    made = scene_jobs.finish(
        "reconstruct",
        scene_jobs.reconstruct(tmp_path / "data", tmp_path / "made", field="mip", preset="small", steps=1),
    )
    found = refusal(scene_jobs.write(made, tmp_path / "scene"), tmp_path, model)
    assert found.hint == "Reconstruct it with --field grid."


@pytest.mark.parametrize(("count", "held"), [(2, 9), (4, 4)])
def test_one_view_is_enough(model, tmp_path, count, held):
    """Two to learn from; three, and one held out."""
    ball_captures.write(tmp_path / "data", count, held=held)
    made = scene_jobs.finish(
        "reconstruct", scene_jobs.reconstruct(tmp_path / "data", tmp_path / "made", steps=5)
    )
    scene = scene_jobs.write(made, tmp_path / "scene")
    result = edited(scene, tmp_path, model, views=1, steps=4)
    assert result.figures["edited_views"] == 1


def test_an_object_keeps_its_shape(ball, model, tmp_path, monkeypatch):
    """The same edit by random weights, without what holds the shape and with it."""
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def light(scene: Path) -> torch.Tensor:
        return torch.exp(-0.05 * runtime.open_scene(SceneFiles.of_folder(scene)).field.densities(points, 0.0))

    before = light(ball)
    moved = []
    for weight in (0.0, 1.0):
        monkeypatch.setattr(relearning, "_HOLD", weight)
        result = edited(ball, tmp_path / str(weight), model, steps=60)
        after = light(scene_jobs.write(result, tmp_path / f"scene-{weight}"))
        moved.append(float((after - before).abs().mean()))
    assert moved[1] < 0.7 * moved[0]


def test_the_pictures_own_codes_and_the_cameras_stay(tmp_path, model):
    ball_captures.write(tmp_path / "data", 8)
    made = scene_jobs.finish(
        "reconstruct",
        scene_jobs.reconstruct(tmp_path / "data", tmp_path / "made", steps=40, appearance=True),
    )
    scene = scene_jobs.write(made, tmp_path / "scene")
    before = runtime.open_scene(SceneFiles.of_folder(scene)).field
    after = runtime.open_scene(
        SceneFiles.of_folder(scene_jobs.write(edited(scene, tmp_path, model), tmp_path / "edited"))
    ).field
    assert torch.equal(before.field.appearance, after.field.appearance)  # type: ignore[attr-defined]
    assert not torch.equal(before.field.grid.table, after.field.grid.table)  # type: ignore[attr-defined]


def copied(scene: Path, target: Path) -> Path:
    return Path(shutil.copytree(scene, target))


def test_the_pocket_editor_makes_the_ball_blue_from_every_side(ball, pocket, tmp_path, monkeypatch):
    monkeypatch.setattr(relearning, "_TABLE_RATE", 1e-2)
    result = edited(ball, tmp_path, pocket, steps=160, views=5, calls=8)
    moved = result.figures["moved_towards"]["blue"]
    assert len(moved) == 3
    assert min(moved) > 5
    assert np.mean(moved) > 10
    assert result.figures["psnr_outside"] > 25


def test_what_the_model_does_not_know_is_told(ball, pocket, tmp_path):
    warnings: list[tuple[str, str]] = []
    edited(ball, tmp_path, pocket, prompt="make it zorbly", steps=1, views=1, warnings=warnings)
    assert ("prompt.unknown", 'The model does not know "zorbly"; it goes by the other words.') in warnings


def test_a_moment_renders_and_another_edit_begins_there(ball, model, tmp_path):
    scene = scene_jobs.write(edited(ball, tmp_path, model), tmp_path / "edited")
    files = SceneFiles.of_folder(scene)
    steps = runtime.open_scene(files).record.moments
    camera = runtime.open_scene(files).cameras[0].posed()
    before = runtime.open_scene(SceneFiles.of_folder(ball)).render(camera).over("white")
    first = runtime.open_scene(files.at(0))
    assert np.array_equal(first.render(camera).over("white"), before)
    assert first.step == 0
    assert runtime.open_scene(files.at(steps[1])).step == steps[1]
    last = runtime.open_scene(files).render(camera).over("white")
    assert np.array_equal(runtime.open_scene(files.at(12)).render(camera).over("white"), last)
    with pytest.raises(UserError, match="has no moment 5000") as caught:
        files.at(5000)
    assert caught.value.hint == f"Its moments are {', '.join(map(str, steps))}."
    with pytest.raises(UserError) as caught:
        SceneFiles.of_folder(ball).at(3)
    assert caught.value.hint == "Only edited scenes have moments."


def test_a_second_edit_keeps_to_what_the_first_made(ball, model, tmp_path, monkeypatch):
    """Its editor changes nothing, so its pictures are renders of the first edit and not the photographs."""
    scene = scene_jobs.write(edited(ball, tmp_path, model), tmp_path / "edited")

    def unchanged(self, starts, conditions, strength, generators):
        yield
        return torch.stack([self.round_trip(one[None])[0] for one in starts])

    monkeypatch.setattr(instruct_edit.InstructionEditor, "edit", unchanged)
    monkeypatch.setattr(instruct_edit.InstructionEditor, "round_trip", lambda self, pictures: pictures)
    result = edited(scene, tmp_path / "again", model, steps=2, views=1)
    files = scene_jobs.files(result)
    name = next(path for path in files if path.startswith("edited/"))
    opened = runtime.open_scene(SceneFiles.of_folder(scene))
    camera = next(one for one in opened.cameras if Path(one.image or "").stem == Path(name).stem)
    made = np.asarray(Image.open(io.BytesIO(files[name])).convert("RGBA"))
    seen = opened.render(camera.posed()).straight()
    inside = made[..., 3] > 250
    assert np.median(np.abs(made[inside][:, :3].astype(int) - seen[inside][:, :3])) == 0
    assert files[f"images/{Path(camera.image or '').name}"] == (scene / str(camera.image)).read_bytes()


def test_another_model_does_not_go_on(ball, model, tmp_path):
    states: list[base.State] = []

    def watch(step: base.Step) -> None:
        if step.step == 2 and step.state is not None and not states:
            states.append(step.state())

    edited(ball, tmp_path, model, watch, steps=4, views=1)
    other = loading.load(str(tiny_models.editor_like(tmp_path / "other", seed=1)), "cpu", "instruct_edit")
    assert refusal(ball, tmp_path, other, steps=4, views=1, state=states[0]).code == "model.changed"


def test_with_too_little_memory_fewer_views_are_edited_at_once(ball, model, tmp_path, monkeypatch):
    """Of a batch of four, halves fit."""
    own = instruct_edit.InstructionEditor.edit
    sizes: list[int] = []

    def limited(self, starts, conditions, strength, generators):
        sizes.append(len(starts))
        if len(starts) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return (yield from own(self, starts, conditions, strength, generators))

    monkeypatch.setattr(instruct_edit.InstructionEditor, "edit", limited)
    warnings: list[tuple[str, str]] = []
    result = edited(ball, tmp_path, model, warnings=warnings, steps=4)
    assert result.figures["edited_views"] == 4
    assert sizes[:3] == [4, 2, 2]
    assert max(sizes[1:]) == 2
    told = [sentence for code, sentence in warnings if code == "memory.tier"]
    assert told == ["There is too little memory to edit 4 views at once; from here on there are 2."]


def judged(model: Any, judge: clip.Clip) -> Any:
    def given(kind: str) -> Any:
        if kind in ("instruct_edit", "clip"):
            return model if kind == "instruct_edit" else judge
        raise UserError("model.not_found", f"No model of the kind {kind} was chosen.")

    return given


CAPTIONS = {"input_caption": "a ball", "edited_caption": "a blue ball"}


def test_clip_judges_an_edit_and_its_evaluation_says_the_same(ball, model, tmp_path):
    judge = clip.load(tiny_models.clip_like(tmp_path / "clip"))
    ctx = scene_jobs.of_scene(
        NAME,
        ball,
        tmp_path / "store",
        model=judged(model, judge),
        **{"prompt": "make it blue", "calls": 3, "views": 4, "lpips": "off", "steps": 12},
        **CAPTIONS,
    )
    result = scene_jobs.finish(NAME, ctx)
    told = result.figures["clip"]
    assert -1 <= told["text_image_direction"] <= 1
    assert set(told["consistency"]) == {"a", "b", "c"}
    assert told["consistency"]["c"] > 0.5
    scene = scene_jobs.write(result, tmp_path / "edited")

    def evaluated(**options: Any) -> dict[str, Any]:
        job = scene_jobs.of_scene("evaluate", scene, tmp_path / "e", **options)
        found: dict[str, Any] = scene_jobs.finish("evaluate", job).figures["edit"]
        return found

    again = evaluated(model=judged(model, judge), **CAPTIONS)
    assert again.pop("instruction") == "make it blue"
    assert again == {name: result.figures[name] for name in again}
    assert again["clip"] == told
    without = evaluated()
    assert without["clip"] is None
    assert "CLIP" in without["why_no_clip"]
    assert without["warp_error"] == result.figures["warp_error"]
    silent = evaluated(model=judged(model, judge))["clip"]
    assert silent["text_image_direction"] is None
    assert silent["consistency"] == told["consistency"]
    one = scene_jobs.of_scene("evaluate", scene, tmp_path / "e", input_caption="a ball")
    with pytest.raises(UserError, match="One caption came without the other"):
        scene_jobs.finish("evaluate", one)


def test_a_scene_that_was_not_edited_has_no_figures_of_an_edit(ball, tmp_path):
    job = scene_jobs.of_scene("evaluate", ball, tmp_path / "e")
    assert "edit" not in scene_jobs.finish("evaluate", job).figures


def test_nothing_is_edited_or_kept_from_a_field_that_has_diverged(ball, model, tmp_path, monkeypatch):
    """Once in the middle all its numbers are none; the loop looks at the losses some steps later."""
    monkeypatch.setattr(loop, "_CHECK_EVERY", 4)
    learn, edit = relearning.Relearner.advance, instruct_edit.InstructionEditor.edit
    broken: list[int] = []
    begun: list[bool] = []

    def advance(self, step):
        learn(self, step)
        if step == 9 and not broken:
            broken.append(step)
            with torch.no_grad():
                self.field.grid.table.fill_(torch.nan)

    def watched(self, starts, conditions, strength, generators):
        begun.append(bool(torch.isfinite(starts).all()))
        return (yield from edit(self, starts, conditions, strength, generators))

    monkeypatch.setattr(relearning.Relearner, "advance", advance)
    monkeypatch.setattr(instruct_edit.InstructionEditor, "edit", watched)
    result = edited(ball, tmp_path, model, preset="classic", steps=24, views=None)
    assert broken
    assert len(begun) >= 3
    assert all(begun)
    assert result.figures["steps"] == 24
    scene = SceneFiles.of_folder(scene_jobs.write(result, tmp_path / "scene"))
    for moment in result.figures["moments"]:
        field = runtime.open_scene(scene.at(moment)).field
        assert torch.isfinite(field.field.grid.table).all()  # type: ignore[attr-defined]


def test_a_second_edit_of_a_scene_with_codes_learns_their_mean(tmp_path, model, monkeypatch):
    """Its pictures are renders, which show the mean; photographs of the first edit show their own."""
    ball_captures.write(tmp_path / "data", 8)
    job_ = scene_jobs.reconstruct(tmp_path / "data", tmp_path / "made", steps=40, appearance=True)
    scene = scene_jobs.write(scene_jobs.finish("reconstruct", job_), tmp_path / "scene")
    own: list[bool] = []
    forward = grid.GridField.forward

    def watched(self, points, spreads, directions, pictures=None):
        own.append(pictures is not None)
        return forward(self, points, spreads, directions, pictures)

    monkeypatch.setattr(grid.GridField, "forward", watched)
    first = scene_jobs.write(edited(scene, tmp_path / "1", model, steps=4), tmp_path / "first")
    assert own
    assert all(own)
    own.clear()
    edited(first, tmp_path / "2", model, steps=4)
    assert own
    assert not any(own)


@pytest.mark.parametrize(
    "lens",
    [
        ball_captures.BARREL,
        Lens(36, 36, 30.0, 30.0, 18.0, 18.0, "fisheye", (0.02, 0.0, 0.0, 0.0)),
        Lens(20, 44, 46.0, 46.0, 10.0, 22.0),
    ],
    ids=["distorted", "fisheye", "portrait"],
)
def test_pictures_of_every_lens_are_edited(model, tmp_path, lens):
    ball_captures.write(tmp_path / "data", 8, lens=lens, opaque=True)
    made = scene_jobs.finish(
        "reconstruct", scene_jobs.reconstruct(tmp_path / "data", tmp_path / "made", steps=20)
    )
    scene = scene_jobs.write(made, tmp_path / "scene")
    result = edited(scene, tmp_path, model, views=3, steps=8)
    files = scene_jobs.files(result)
    for path in (path for path in files if path.startswith("edited/")):
        assert Image.open(io.BytesIO(files[path])).size == (lens.width, lens.height)
    assert result.figures["edited_views"] == 3
    assert result.figures["warp_error"] >= 0


def test_pictures_are_edited_at_the_size_that_was_learnt_from_and_their_masks_hold(model, tmp_path):
    """The left half of every picture is to be ignored, and half of their sides was learnt from."""
    made = ball_captures.write(tmp_path / "data", 8, opaque=True)
    mask = np.full((36, 36), 255, np.uint8)
    mask[:, :18] = 0
    frames = tuple(
        dataclasses.replace(one, mask=captures.save(tmp_path / f"data/masks/{number:03d}.png", mask))
        for number, one in enumerate(made.frames)
    )
    writing.write(dataclasses.replace(made, frames=frames), tmp_path / "data")
    job_ = scene_jobs.reconstruct(tmp_path / "data", tmp_path / "made", steps=20, reduce=2)
    scene = scene_jobs.write(scene_jobs.finish("reconstruct", job_), tmp_path / "scene")
    result = edited(scene, tmp_path, model, views=3, steps=8)
    files = scene_jobs.files(result)
    pictures = [path for path in files if path.startswith("edited/")]
    assert len(pictures) == 3
    assert all(Image.open(io.BytesIO(files[path])).size == (18, 18) for path in pictures)
    assert len([path for path in files if path.startswith("masks/")]) == 8


def test_seconds_end_an_edit(ball, model, tmp_path):
    result = edited(ball, tmp_path, model, seconds=2.0)
    assert result.figures["steps"] > 0
    assert result.promise == "no step lost"
    assert 2.0 <= result.figures["optimisation_seconds"] < 20


@pytest.mark.parametrize(("tier", "most"), [("full", 4), ("small", 2), ("tiny", 1)])
def test_a_tier_says_how_many_views_are_edited_at_once(ball, model, tmp_path, monkeypatch, tier, most):
    own = instruct_edit.InstructionEditor.edit
    sizes: list[int] = []

    def watched(self, starts, conditions, strength, generators):
        sizes.append(len(starts))
        return (yield from own(self, starts, conditions, strength, generators))

    monkeypatch.setattr(instruct_edit.InstructionEditor, "edit", watched)
    edited(ball, tmp_path, model, tier=tier, steps=4)
    assert max(sizes) == most


def test_views_that_a_cpu_leaves_out_are_told_of(ball, model, tmp_path, monkeypatch):
    monkeypatch.setattr(edit_settings, "VIEWS", 3)
    warnings: list[tuple[str, str]] = []
    result = edited(ball, tmp_path, model, views=None, steps=4, warnings=warnings)
    assert result.figures["edited_views"] == 3
    assert (
        "edit.views",
        "On a CPU 3 of the 9 views are edited, far apart; the others follow them.",
    ) in warnings
    warnings.clear()
    edited(ball, tmp_path, model, views=3, steps=4, warnings=warnings)
    assert "edit.views" not in [code for code, _ in warnings]


def test_while_an_edit_is_restored_there_is_no_state_to_keep(ball, model, tmp_path):
    """Half of its pictures are not there yet; the checkpoint it comes from must stay the newest."""
    states: list[base.State] = []

    def watch(step: base.Step) -> None:
        if step.state is not None and step.stage == "edit":
            states.append(step.state())

    edited(ball, tmp_path, model, watch, steps=8, calls=2)
    late = next(state for state in states if len(state.values["agreed"]) == 4)
    again: list[base.State] = []

    def watch_again(step: base.Step) -> None:
        if step.state is not None:
            again.append(step.state())
            if len(again) == 3:
                raise _Enough

    with pytest.raises(_Enough):
        edited(ball, tmp_path, model, watch_again, steps=8, calls=2, state=late)
    assert all(len(state.values["files"]) == 4 for state in again)


class _Enough(Exception):
    """What a watcher has seen is all that it asks for."""


def test_a_long_instruction_is_judged_as_a_whole(ball, model, tmp_path):
    """The name of the scene is cut; the colour comes after that."""
    prompt = "make the ball that lies in the middle of nothing and looks at nobody blue"
    result = edited(ball, tmp_path, model, prompt=prompt, steps=4)
    scene = scene_jobs.write(result, tmp_path / "edited")
    found = scene_jobs.finish("evaluate", scene_jobs.of_scene("evaluate", scene, tmp_path / "e")).figures
    assert found["edit"]["instruction"] == prompt
    assert found["edit"]["moved_towards"] == result.figures["moved_towards"]
