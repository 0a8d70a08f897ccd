"""The journal: what is stored comes back, numbers never go back, a full disk loses nothing."""

import errno
import sqlite3
from pathlib import Path

import pytest
from maquette_server.engine import journal
from maquette_wire import messages
from maquette_wire.errors import UserError

STATE = messages.StateBody(state="queued", attempt=0)


def job(name: str = "a") -> journal.Job:
    request = messages.Submit(request_id=f"request-{name}", method="m", params={"x": [1, 2.5, "y"]})
    return journal.Job(name, request, "somebody", 123)


def test_a_job_comes_back_as_it_was(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    item = messages.ResultItem(role="texture", name="t.png", digest="0" * 64, size=5, shape=(1, 2))
    saved = job()
    saved.state, saved.attempt, saved.place, saved.stop_wished, saved.crash_step = "running", 3, 7, True, 5
    saved.fault = messages.Fault(code="job.failed", sentence="No.")
    saved.results, saved.snapshots = (item,), [(4, (item,))]
    book.save(saved)
    book.close()
    assert journal.Journal(tmp_path).jobs() == [saved]


def test_events_come_back_in_order_after_a_number_and_of_a_job(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    stored = [book.record(name, STATE) for name in ("a", "b", "a")]
    assert book.events(0, None) == stored
    assert book.events(stored[0].number, None) == stored[1:]
    assert book.events(0, "a") == [stored[0], stored[2]]
    assert book.events(2**70, None) == []


def test_numbers_go_on_after_a_kill_and_after_a_close(tmp_path: Path) -> None:
    killed = journal.Journal(tmp_path)
    last = max(killed.next_number() for _ in range(journal.BLOCK + 3))
    after_kill = journal.Journal(tmp_path)  # the other was not closed
    assert after_kill.next_number() > last
    last = after_kill.next_number()
    after_kill.close()
    assert journal.Journal(tmp_path).next_number() == last + 1


def test_the_folder_keeps_its_id(tmp_path: Path) -> None:
    first = journal.Journal(tmp_path)
    assert first.folder_id == journal.Journal(tmp_path).folder_id
    assert len(first.folder_id) == 32


def test_a_number_is_not_given_twice_when_its_reservation_is_rolled_back(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    given = []

    def fail() -> None:
        with book.write():
            given.append(book.next_number())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert book.next_number() > given[0]
    assert journal.Journal(tmp_path).next_number() > given[0] + 1


def test_a_full_disk_gives_up_the_reserve_and_says_so(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    assert (tmp_path / "reserve").stat().st_size == journal.RESERVE

    def fail() -> None:
        with book.write() as base:
            base.execute("insert into meta values ('x', 'y')")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError) as refused:
        fail()
    assert refused.value.code == "disk.full"
    assert not (tmp_path / "reserve").exists()
    book.keep_reserve()
    assert (tmp_path / "reserve").exists()
    with book.write() as base:
        assert base.execute("select count(*) from meta where name = 'x'").fetchone() == (0,)


def test_sqlite_says_that_the_disk_is_full_in_its_own_way(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    with book.write() as base:
        base.execute("pragma max_page_count = 20")
    long = messages.StateBody(state="queued", attempt=0, sentence="x" * 100_000)
    with pytest.raises(UserError) as refused:
        book.record("a", long)
    assert refused.value.code == "disk.full"


def test_what_a_job_uses_is_known_until_it_is_removed(tmp_path: Path) -> None:
    book = journal.Journal(tmp_path)
    book.save(job())
    book.use("a", {"1" * 64, "2" * 64})
    book.use("a", {"2" * 64})
    assert book.used() == {"2" * 64}
    assert book.is_used("2" * 64)
    book.remove("a")
    assert book.used() == set()
    assert book.jobs() == []


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(UserError) as refused:
        journal.Journal(tmp_path)
    assert refused.value.code == "data.unusable"


def test_another_format_is_refused_by_name(tmp_path: Path) -> None:
    journal.Journal(tmp_path).close()
    base = sqlite3.connect(tmp_path / "journal.sqlite")
    base.execute("update meta set value = '99' where name = 'format'")
    base.commit()
    base.close()
    with pytest.raises(UserError, match="format 99"):
        journal.Journal(tmp_path)


def test_a_final_state_is_left_by_a_failed_job_only() -> None:
    assert set(journal.MAY_BECOME) == set(messages.JobState.__args__)  # type: ignore[attr-defined]
    left = {state for state in messages.FINAL_STATES if journal.MAY_BECOME[state]}
    assert left == {"failed"}
