"""Checkpoints: complete or not there, the newest readable one of any attempt, and only two of them."""

import os
from pathlib import Path

import msgspec
import pytest
from maquette_server.engine import attempts, queue


def write(job: Path, attempt: int, step: int, data: bytes = b"tensors") -> None:
    folder = attempts.attempt_folder(job, attempt)
    folder.mkdir(parents=True, exist_ok=True)
    progress = attempts.Progress(step=step, seconds=1.5, stages={"paint": 1.5})
    attempts.write_checkpoint(folder, progress, {"random": {"state": 2**120, "x": 0.1}}, "numpy", data)


def newest(job: Path) -> tuple[int, bytes, list[str]]:
    damaged: list[str] = []
    found = attempts.newest_checkpoint(job, damaged.append)
    assert found is not None
    return found.record.progress.step, found.tensors, damaged


def test_a_checkpoint_comes_back_with_numbers_of_any_size(tmp_path: Path) -> None:
    write(tmp_path, 1, 5)
    found = attempts.newest_checkpoint(tmp_path, lambda name: None)
    assert found is not None
    assert found.record.values == {"random": {"state": 2**120, "x": 0.1}}
    assert found.record.progress == attempts.Progress(step=5, seconds=1.5, stages={"paint": 1.5})


def test_a_later_attempt_counts_before_a_later_step(tmp_path: Path) -> None:
    write(tmp_path, 1, 50)
    write(tmp_path, 2, 40, b"newer")
    write(tmp_path, 10, 45, b"newest")
    assert newest(tmp_path) == (45, b"newest", [])


@pytest.mark.parametrize("harm", ["truncate", "change", "remove", "values"])
def test_a_damaged_checkpoint_is_named_and_passed_over(tmp_path: Path, harm: str) -> None:
    write(tmp_path, 1, 5)
    write(tmp_path, 1, 6)
    folder = attempts.attempt_folder(tmp_path, 1) / "checkpoint-00000006"
    if harm == "truncate":
        (folder / attempts.TENSORS).write_bytes(b"tens")
    elif harm == "change":
        (folder / attempts.TENSORS).write_bytes(b"tensorX")
    elif harm == "remove":
        (folder / attempts.TENSORS).unlink()
    else:
        (folder / attempts.VALUES).write_bytes(b'{"progress": ')
    assert newest(tmp_path) == (5, b"tensors", ["checkpoint-00000006"])


def test_two_are_kept(tmp_path: Path) -> None:
    for attempt, step in [(1, 5), (1, 6), (2, 7)]:
        write(tmp_path, attempt, step)
    attempts.remove_old_checkpoints(tmp_path)
    assert [folder.name for folder in attempts.checkpoints(tmp_path)] == [
        "checkpoint-00000007",
        "checkpoint-00000006",
    ]
    assert attempts.newest_step(tmp_path) == 7


def test_a_checkpoint_that_cannot_be_written_leaves_nothing_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1, 5)

    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(attempts, "_write", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, 1, 6)
    assert newest(tmp_path) == (5, b"tensors", [])
    assert not list(tmp_path.glob("*/*.new"))


def test_there_may_be_none(tmp_path: Path) -> None:
    assert attempts.newest_checkpoint(tmp_path / "nothing", lambda name: None) is None
    assert attempts.newest_step(tmp_path / "nothing") == 0


def test_the_queue_keeps_places_and_moves_jobs() -> None:
    line = queue.Queue(["a", "b"])
    line.add("c")
    line.add("a")
    assert list(line) == ["a", "b", "c"]
    line.move("c", 0)
    line.move("a", 99)
    assert list(line) == ["c", "b", "a"]
    line.remove("b")
    line.remove("b")
    assert list(line) == ["c", "a"]
    with pytest.raises(ValueError, match="not in list"):
        line.move("b", 0)


def test_a_checkpoint_of_the_same_step_gives_way_to_the_newer(tmp_path: Path) -> None:
    write(tmp_path, 1, 5, b"first")
    write(tmp_path, 1, 5, b"second")
    assert newest(tmp_path) == (5, b"second", [])
    assert [folder.name for folder in attempts.checkpoints(tmp_path)] == ["checkpoint-00000005"]
    assert {entry.name for entry in (tmp_path / "attempt-1").iterdir()} == {"checkpoint-00000005"}


def test_what_an_attempt_keeps_is_found_by_the_next(tmp_path: Path) -> None:
    folder = attempts.attempt_folder(tmp_path, 1)
    kept = attempts.keep(folder, b"a picture")
    assert attempts.keep(folder, b"a picture") == kept
    assert kept.is_relative_to(folder)
    assert attempts.kept(tmp_path, kept.name) == kept
    assert kept.read_bytes() == b"a picture"
    assert attempts.kept(tmp_path, "0" * 64) is None


def test_of_what_was_kept_goes_what_only_an_old_checkpoint_named(tmp_path: Path) -> None:
    """Five files: two that the remaining checkpoints name, one of them an earlier attempt's; one that only a
    checkpoint named that is gone; one that none has named, which the result may; one that was kept last.
    """
    folders = [attempts.attempt_folder(tmp_path, number) for number in (1, 2)]
    earlier, gone, named, nobody = (
        attempts.keep(folders[number], data)
        for number, data in ((0, b"earlier"), (0, b"gone"), (1, b"named"), (1, b"nobody"))
    )
    for place in (earlier, gone, named, nobody):
        os.utime(place, (1000, 1000))
    progress = attempts.Progress(step=0)
    for attempt, step, files in ((0, 3, [gone, earlier]), (1, 4, [earlier]), (1, 5, [earlier, named])):
        values = {"files": {str(number): file.name for number, file in enumerate(files)}}
        attempts.write_checkpoint(
            folders[attempt], msgspec.structs.replace(progress, step=step), values, "numpy", b""
        )
    newer = attempts.keep(folders[1], b"newer")
    attempts.remove_old_checkpoints(tmp_path)
    assert all(place.is_file() for place in (earlier, named, newer, nobody))
    assert not gone.exists()


def test_a_file_that_is_kept_again_is_new(tmp_path: Path) -> None:
    """It was in a checkpoint that goes, and the next one will name it."""
    folder = attempts.attempt_folder(tmp_path, 1)
    first, other = attempts.keep(folder, b"again"), attempts.keep(folder, b"other")
    for place in (first, other):
        os.utime(place, (1000, 1000))
    progress = attempts.Progress(step=3)
    attempts.write_checkpoint(folder, progress, {"files": [first.name, other.name]}, "numpy", b"")
    write(tmp_path, 1, 5)
    write(tmp_path, 1, 6)
    assert attempts.keep(folder, b"again") == first
    attempts.remove_old_checkpoints(tmp_path)
    assert first.is_file()
    assert not other.exists()
