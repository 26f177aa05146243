"""The ledger away from everybody who must not wait for it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from greencode_lsp.energy import Ledger, LedgerThread, NullLedger
from greencode_lsp.energy.ledger_records import empty_day
from tests.energy.test_ledger import NOON, WORLD, entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.sqlite"


@contextmanager
def running(path: Path) -> Iterator[LedgerThread]:
    thread = LedgerThread(path, now=lambda: NOON)
    yield thread
    thread.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's lock as another process would."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def kept(path: Path) -> list[str]:
    ledger = Ledger(path)
    days = ledger.by_day(WORLD)
    ledger.close()
    with sqlite3.connect(path) as connection:
        ids = [id for (id,) in connection.execute("SELECT completion_id FROM completions ORDER BY time, completion_id")]
    connection.close()
    assert sum(day.completions for day in days) == len(ids)
    return ids


def test_what_is_written_is_there_for_the_next_question(path: Path) -> None:
    with running(path) as thread:
        thread.record(entry("a"))
        thread.mark_accepted("a", 3)
        today = thread.today(WORLD).result()
        assert (today.completions, today.shown, today.accepted) == (1, 1, 1)
        thread.reset()
        assert thread.ask(lambda ledger: ledger.by_day(WORLD)).result() == []
    assert kept(path) == []


def test_nothing_is_lost_and_nobody_waits_while_the_file_is_locked(path: Path) -> None:
    Ledger(path).close()
    with running(path) as thread:
        thread.record(entry("before"))
        assert thread.today(WORLD).result().completions == 1
        with locked(path):
            for number in range(50):
                thread.record(entry(f"during {number:02}"))
            thread.mark_shown("during 00")
            assert thread.today(WORLD).result() == empty_day(NOON.astimezone().date(), None, WORLD)
            assert [day.completions for day in thread.ask(lambda ledger: ledger.by_day(WORLD)).result()] == [1]
        while (today := thread.today(WORLD).result()).watt_hours is None:
            time.sleep(0.01)
        assert (today.completions, today.shown) == (51, 1)


def test_a_file_that_is_locked_from_the_start_is_written_once_it_is_free(path: Path) -> None:
    Ledger(path).close()
    with running(path) as thread:
        with locked(path):
            thread.record(entry("a"))
            assert thread.today(WORLD).result().watt_hours is None
            assert isinstance(thread.ask(lambda ledger: ledger).result(), Ledger)  # can be read meanwhile
        while thread.today(WORLD).result().watt_hours is None:
            time.sleep(0.01)
    assert kept(path) == ["a"]


def test_closing_waits_for_a_lock_that_is_released_in_time(path: Path) -> None:
    Ledger(path).close()
    thread = LedgerThread(path, now=lambda: NOON)
    with locked(path):
        thread.record(entry("a"))
        assert thread.today(WORLD).result().watt_hours is None
        closing = threading.Thread(target=thread.close, args=(60,))
        closing.start()
    closing.join()
    assert kept(path) == ["a"]


def test_closing_gives_up_a_lock_that_stays_and_says_what_is_lost(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Ledger(path).close()
    thread = LedgerThread(path, now=lambda: NOON)
    with locked(path):
        thread.record(entry("a"))
        thread.close(seconds=0.5)
        assert not thread._thread.is_alive()
    assert "changes lost to the energy ledger: 1" in caplog.text
    assert kept(path) == []


def test_a_file_that_is_deleted_is_begun_anew(path: Path) -> None:
    with running(path) as thread:
        thread.record(entry("a"))
        assert thread.today(WORLD).result().completions == 1
        for file in path.parent.iterdir():
            file.unlink()
        thread.record(entry("b"))
        assert thread.today(WORLD).result().completions == 1
    assert kept(path) == ["b"]


def test_a_folder_that_can_be_written_later_gets_what_was_recorded_before(path: Path) -> None:
    path.parent.write_text("a file where a folder is needed")
    with running(path) as thread:
        thread.record(entry("a"))
        assert thread.today(WORLD).result().watt_hours is None
        assert isinstance(thread.ask(lambda ledger: ledger).result(), NullLedger)
        path.parent.unlink()
        while thread.today(WORLD).result().watt_hours is None:
            time.sleep(0.01)
    assert kept(path) == ["a"]


def test_a_completion_that_cannot_be_written_takes_no_other_with_it(path: Path) -> None:
    with running(path) as thread:
        thread.record(entry("a"))
        thread.record(entry("a"))
        thread.record(entry("b"))
    assert kept(path) == ["a", "b"]


def test_what_is_older_than_the_days_to_keep_is_pruned_and_0_keeps_all(path: Path) -> None:
    ledger = Ledger(path)
    for days in (400, 20, 1):
        ledger.record(entry(str(days), when=NOON - timedelta(days=days)))
    ledger.close()
    for days, left in ((0, ["400", "20", "1"]), (365, ["20", "1"]), (7, ["1"])):
        with running(path) as thread:
            thread.keep(days)
            thread.today(WORLD).result()
        assert kept(path) == left


@pytest.mark.parametrize("begins", ["before closing", "behind closing"])
def test_a_long_question_does_not_keep_the_last_completions_from_the_file(path: Path, begins: str) -> None:
    asked, closed = threading.Event(), threading.Event()
    if begins == "before closing":
        closed.set()

    def count(ledger: Ledger | NullLedger) -> None:
        assert isinstance(ledger, Ledger)
        asked.set()
        closed.wait()
        forever = (
            "WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM endless) SELECT COUNT(*) FROM endless"
        )
        ledger._connection.execute(forever).fetchone()

    thread = LedgerThread(path, now=lambda: NOON)
    answer = thread.ask(count)
    asked.wait()
    thread.record(entry("a"))
    thread.close(seconds=0)
    closed.set()
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        answer.result()
    thread.close()
    assert kept(path) == ["a"]
