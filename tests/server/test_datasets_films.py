"""Films become data sets: which frames, when, how large, with which cameras, and what is refused."""

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import captures
import numpy as np
import pytest
from maquette_server.cli.app import app
from maquette_server.datasets import check, colmap, films, opening, rig, times
from maquette_server.datasets.base import DataSet
from maquette_server.media import video
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

WIDTH, HEIGHT, FPS = 48, 32, 10.0


def level(number: int) -> int:
    """The grey of a frame: so a picture tells which frame it is."""
    return 20 + 9 * number


def film(path: Path, count: int = 20, fps: float = FPS, width: int = WIDTH, height: int = HEIGHT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    video.write(path, (np.full((height, width, 3), level(i), np.uint8) for i in range(count)), fps)
    return path


def drawn(
    source: Path, folder: Path, *, without: tuple[str, ...] = (), overwrite: bool = False, **choice: Any
) -> films.Made:
    *_, made = films.write(rig.read(source, without), folder, films.Choice(**choice), overwrite)
    assert isinstance(made, films.Made)
    return made


def shown(folder: Path) -> dict[str, int]:
    """Which frame of its film each picture is."""
    found = {}
    for path in sorted((folder / "images").rglob("*.*")):
        with Image.open(path) as image:
            found[path.relative_to(folder).as_posix()] = round((np.asarray(image).mean() - 20) / 9)
    return found


def seconds(folder: Path) -> dict[str, float]:
    held: dict[str, float] = json.loads((folder / times.FILE).read_text())["times"]
    return held


def refused(source: Path, folder: Path, **options: Any) -> UserError:
    before = set(folder.parent.iterdir())
    with pytest.raises(UserError) as caught:
        drawn(source, folder, **options)
    assert set(folder.parent.iterdir()) == before, "nothing is left behind"
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("choice", "frames", "first", "gap"),
    [
        ({}, list(range(20)), 0.0, 0.1),
        ({"every": 7}, [0, 7, 14], 0.0, 0.7),
        ({"fps": 2.5}, [0, 4, 8, 12, 16], 0.0, 0.4),
        ({"start": 0.5, "end": 1.1}, [5, 6, 7, 8, 9, 10], 0.5, 0.1),
        ({"start": 0.5, "every": 4}, [5, 9, 13, 17], 0.5, 0.4),
        ({"start": 1.0, "end": 1.5, "fps": 4}, [10, 12], 1.0, 0.25),
    ],
)
def test_the_frames_that_are_asked_for_come_with_their_times(
    tmp_path: Path, choice: dict[str, Any], frames: list[int], first: float, gap: float
) -> None:
    made = drawn(film(tmp_path / "walk.mp4"), tmp_path / "out", **choice)
    assert (made.pictures, made.cameras, made.posed) == (len(frames), 1, False)
    assert shown(tmp_path / "out") == {f"images/{i:05d}.jpg": number for i, number in enumerate(frames)}
    assert list(seconds(tmp_path / "out").values()) == pytest.approx(
        [first + gap * i for i in range(len(frames))], abs=1e-5
    )


def test_times_follow_the_film_where_frames_are_unevenly_long(tmp_path: Path) -> None:
    path, at = tmp_path / "telephone.mkv", [0, 100, 200, 600, 700, 1100]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, milliseconds in enumerate(at):
            frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), level(number), np.uint8), "rgb24")
            frame.pts = milliseconds
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    drawn(path, tmp_path / "out")
    assert list(seconds(tmp_path / "out").values()) == pytest.approx([t / 1000 for t in at], abs=1e-3)
    drawn(path, tmp_path / "some", fps=2)
    assert list(seconds(tmp_path / "some").values()) == pytest.approx([0, 0.5, 1.0])
    assert list(shown(tmp_path / "some").values()) == [0, 3, 5]


def test_lossless_pictures_are_the_frames_themselves(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    video.write(path, [captures.noise(WIDTH, HEIGHT, seed=i) for i in range(3)], FPS)
    drawn(path, tmp_path / "out", lossless=True)
    for number, frame in enumerate(video.frames(path)):
        with Image.open(tmp_path / f"out/images/{number:05d}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), frame)


def test_pictures_are_means_of_whole_pixels_or_brought_to_a_long_side(tmp_path: Path) -> None:
    ramp: NDArray[np.uint8] = np.repeat(np.arange(WIDTH, dtype=np.uint8)[None, :, None] * 5, HEIGHT, 0)
    choice = films.Choice(reduce=5)
    small = np.asarray(choice.sized(np.repeat(ramp, 3, 2)))
    assert small.shape == (6, 9, 3)
    np.testing.assert_array_equal(small[2, :, 0], [5 * (5 * i + 2) for i in range(9)])
    for longest, size in ((24, (24, 16)), (100, (48, 32)), (10, (10, 7))):
        assert films.Choice(longest=longest).sized(np.repeat(ramp, 3, 2)).size == size


def rows(folder: Path, poses: list[NDArray[np.float64]], width: int, height: int, focal: float) -> None:
    """LLFF's file."""
    content = []
    for pose in poses:
        right, up, back, place = pose[:3].T
        matrix = np.stack([-up, right, back, place, [height, width, focal]], 1)
        content.append(np.concatenate([matrix.ravel(), [2.0, 9.0]]))
    np.save(folder / "poses_bounds.npy", np.array(content))


def test_a_rig_with_llff_poses_becomes_a_moving_data_set(tmp_path: Path) -> None:
    poses = captures.ring(5)
    for number in range(5):
        film(tmp_path / f"rig/cam{number:02d}.mp4", 6)
    rows(tmp_path / "rig", poses, 2 * WIDTH, 2 * HEIGHT, 80.0)
    made = drawn(tmp_path / "rig", tmp_path / "out", every=2, reduce=2, without=("cam03",))
    assert (made.pictures, made.cameras, made.posed) == (12, 4, True)
    assert any("cam00" in note and "held out" in note for note in made.notes)

    read = opening.read(tmp_path / "out")
    (finding,) = check.examine(read)
    assert finding.severity == "warning"
    assert "3 different times" in finding.sentence
    assert len(read.frames) == 12
    by_camera = {name: [f for f in read.frames if f"/{name}/" in f.name] for name in ("cam00", "cam04")}
    for name, frames in by_camera.items():
        assert [frame.time for frame in frames] == pytest.approx([0, 0.2, 0.4], abs=1e-5)
        for frame in frames:
            np.testing.assert_allclose(frame.world_from_camera, poses[int(name[3:])], atol=1e-12)
            assert (frame.lens.width, frame.lens.height, frame.lens.focal_x) == (24, 16, 20.0)
    assert {frame.split for frame in by_camera["cam00"]} == {"test"}
    assert {frame.split for frame in by_camera["cam04"]} == {"train"}
    assert (read.near, read.far) == (pytest.approx(1.8), 9.0)
    times_of = {frame.time for frame in read.frames}
    assert len(times_of) == 3, "one instant has one time, whichever camera"


def test_cameras_are_found_by_the_names_of_films(tmp_path: Path) -> None:
    poses = captures.ring(3)
    names = ["images/left.jpg", "middle.mp4", "right/00000.png"]
    for stem in ("left", "middle", "right"):
        film(tmp_path / f"rig/{stem}.mp4", 4)
    entries = [
        {"file_path": name, "transform_matrix": pose.tolist()}
        for name, pose in zip(names, poses, strict=True)
    ]
    content = {"fl_x": 40.0, "k1": 0.01, "frames": entries}
    (tmp_path / "rig/transforms.json").write_text(json.dumps(content))
    made = drawn(tmp_path / "rig", tmp_path / "out")
    assert made.posed
    assert made.notes == (), "three cameras are too few to hold one out"
    read = opening.read(tmp_path / "out")
    places = {frame.name.split("/")[1]: frame.world_from_camera for frame in read.frames}
    for stem, pose in zip(("left", "middle", "right"), poses, strict=True):
        np.testing.assert_allclose(places[stem], pose, atol=1e-12)
    assert read.frames[0].lens.model == "opencv"
    assert read.frames[0].lens.width == WIDTH

    (tmp_path / "rig/transforms.json").write_text(json.dumps(content | {"frames": entries[:2]}))
    assert "right.mp4" in refused(tmp_path / "rig", tmp_path / "two").sentence
    assert drawn(tmp_path / "rig", tmp_path / "two", without=("right",)).posed
    assert not drawn(tmp_path / "rig/right.mp4", tmp_path / "one").posed, "its camera is not known"
    assert drawn(tmp_path / "rig/left.mp4", tmp_path / "static").posed


def test_pictures_without_cameras_keep_their_times_for_a_solver(tmp_path: Path, monkeypatch: Any) -> None:
    drawn(film(tmp_path / "walk.mp4", 4), tmp_path / "out")
    with pytest.raises(UserError, match="no data set"):
        opening.read(tmp_path / "out")
    solved = tmp_path / "out/sparse/0"
    solved.mkdir(parents=True)
    (solved / "cameras.txt").write_text(f"1 PINHOLE {WIDTH} {HEIGHT} 40 40 24 16\n")
    lines = [f"{i + 1} 1 0 0 0 {i} 0 4 1 {i:05d}.jpg\n\n" for i in range(4)]
    (solved / "images.txt").write_text("".join(lines))
    read = opening.read(tmp_path / "out")
    assert read.format == "colmap"
    assert [frame.time for frame in read.frames] == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-5)
    assert colmap.read(tmp_path / "out").frames[0].time is None, "the model itself knows no time"

    (tmp_path / "out/times.json").write_text('{"times": {"images/00000.jpg": "soon"}}')
    with pytest.raises(UserError, match="not a number"):
        opening.read(tmp_path / "out")


def test_all_films_end_with_the_shortest(tmp_path: Path) -> None:
    film(tmp_path / "rig/a.mp4", 9)
    film(tmp_path / "rig/b.mp4", 5)
    made = drawn(tmp_path / "rig", tmp_path / "out", every=2)
    assert made.pictures == 6
    assert "'b' is the shortest" in made.notes[0]
    assert "2 later" in made.notes[0]
    assert set(shown(tmp_path / "out").values()) == {0, 2, 4}
    assert set(seconds(tmp_path / "out")) == set(shown(tmp_path / "out"))


def test_films_of_other_rates_are_drawn_by_time_only(tmp_path: Path) -> None:
    film(tmp_path / "rig/a.mp4", 10, 10)
    film(tmp_path / "rig/b.mp4", 25, 25)
    assert "--fps" in refused(tmp_path / "rig", tmp_path / "out").hint
    drawn(tmp_path / "rig", tmp_path / "out", fps=5)
    found = shown(tmp_path / "out")
    assert [found[f"images/a/{i:05d}.jpg"] for i in range(5)] == [0, 2, 4, 6, 8]
    assert [found[f"images/b/{i:05d}.jpg"] for i in range(5)] == [0, 5, 10, 15, 20]


def test_nothing_is_overwritten_without_being_asked(tmp_path: Path) -> None:
    path = film(tmp_path / "walk.mp4", 4)
    (tmp_path / "out").mkdir()
    drawn(path, tmp_path / "out")
    assert "--overwrite" in refused(path, tmp_path / "out").hint
    drawn(path, tmp_path / "out", every=2, overwrite=True)
    assert len(shown(tmp_path / "out")) == 2
    (tmp_path / "out/notes.txt").write_text("mine")
    assert "notes.txt" in refused(path, tmp_path / "out", overwrite=True).sentence
    assert refused(path, path, overwrite=True).sentence.endswith("is a file.")
    assert path.stat().st_size > 0


def test_a_broken_film_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    film(tmp_path / "rig/a.mp4", 5)
    video.write(tmp_path / "rig/b.mp4", (captures.noise(seed=i) for i in range(60)), FPS)
    whole = (tmp_path / "rig/b.mp4").read_bytes()
    (tmp_path / "rig/b.mp4").write_bytes(whole[: len(whole) // 2])
    assert video.describe(tmp_path / "rig/b.mp4").count == 60, "its beginning is sound"
    error = refused(tmp_path / "rig", tmp_path / "out")
    assert error.code == "video.bad"
    assert "b.mp4" in error.sentence
    (tmp_path / "rig/b.mp4").write_bytes(b"")
    assert refused(tmp_path / "rig", tmp_path / "out").code == "video.bad"


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"every": 2, "fps": 5.0}, "both"),
        ({"reduce": 2, "longest": 10}, "both"),
        ({"start": 2.0, "end": 1.0}, "after the start"),
        ({"fps": 0.0}, "cannot be drawn"),
        ({"fps": 30.0}, "fewer than 30"),
        ({"start": 90.0}, "no frame from 90 s on"),
        ({"reduce": 40}, "cannot be divided"),
        ({"without": ("cam9",)}, "'cam9'"),
        ({"without": ("walk",)}, "left out"),
    ],
)
def test_what_cannot_be_chosen_is_refused(tmp_path: Path, choice: dict[str, Any], words: str) -> None:
    assert words in refused(film(tmp_path / "walk.mp4", 4), tmp_path / "out", **choice).sentence


def test_a_rig_whose_cameras_do_not_fit_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        film(tmp_path / f"rig/cam{number}.mp4", 2)
    rows(tmp_path / "rig", captures.ring(2), WIDTH, HEIGHT, 40.0)
    assert "2 cameras, but there are 3 films" in refused(tmp_path / "rig", tmp_path / "out").sentence
    rows(tmp_path / "rig", captures.ring(3), WIDTH, WIDTH, 40.0)
    assert "48 x 32" in refused(tmp_path / "rig", tmp_path / "out").sentence
    film(tmp_path / "rig/cam0.mkv".replace("mkv", "mov"), 2)
    assert "one name" in refused(tmp_path / "rig", tmp_path / "out").sentence


def test_films_without_end_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "walk.mp4", 6)
    monkeypatch.setattr(films, "MAX_PICTURES", 5)
    assert "more than 5 pictures" in refused(path, tmp_path / "out").sentence
    monkeypatch.setattr(films, "MAX_PICTURES", 6)
    drawn(path, tmp_path / "six")
    monkeypatch.setattr(films, "MAX_BYTES", 500)
    assert "pictures" in refused(path, tmp_path / "out").sentence


def test_a_folder_of_films_is_told_what_to_do(tmp_path: Path) -> None:
    film(tmp_path / "rig/a.mp4", 2)
    with pytest.raises(UserError) as caught:
        opening.read(tmp_path / "rig")
    assert "dataset frames" in caught.value.hint
    assert "no film" in refused(tmp_path / "rig/..", tmp_path / "out").sentence


def test_the_command_says_what_it_made_and_what_is_missing(tmp_path: Path) -> None:
    path = film(tmp_path / "walk.mp4", 4)
    words = ["dataset", "frames", str(path), str(tmp_path / "out"), "--every", "2", "--size", "24"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "2 pictures of one camera" in done.stdout
    assert "colmap" in done.stdout
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    as_json = CliRunner().invoke(app, [*words, "--overwrite", "--json"])
    events: list[DataSet | Any] = [json.loads(line) for line in io.StringIO(as_json.stdout)]
    assert [event["event"] for event in events] == ["progress", "progress", "result"]
    assert events[-1]["pictures"] == 2
    assert not events[-1]["posed"]
    with Image.open(tmp_path / "out/images/00000.jpg") as image:
        assert image.size == (24, 16)
