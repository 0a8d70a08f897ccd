"""What is remembered of sent jobs."""

from pathlib import Path

from blender_addon import records


def test_a_record_is_there_after_a_restart(tmp_path: Path) -> None:
    records.Records(tmp_path / "jobs").put("a", {"prompt": "gold"})
    assert records.Records(tmp_path / "jobs").get("a") == {"prompt": "gold"}


def test_a_broken_record_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    (tmp_path / "b.json").write_text("[]", encoding="utf-8")
    kept = records.Records(tmp_path)
    assert kept.get("a") is None
    assert kept.get("b") is None


def test_only_so_many_are_kept_and_the_newest_is_among_them(tmp_path: Path) -> None:
    kept = records.Records(tmp_path)
    for number in range(records.KEPT + 3):
        kept.put(f"job-{number}", {})
    assert len(list(tmp_path.glob("*.json"))) == records.KEPT
    assert kept.get(f"job-{records.KEPT + 2}") == {}
    assert kept.get("job-0") is None


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    kept = records.Records(None)
    kept.put("a", {})
    assert kept.get("a") == {}
