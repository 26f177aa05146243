from __future__ import annotations

import csv
import gc
import io
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from greencode_lsp.energy import Entry, GridFactor, Ledger, NullLedger, Summary, grid_factor, ledger_path, open_ledger
from greencode_lsp.energy.ledger_queries import recording
from tests.waiting import HANG_SECONDS

WORLD = grid_factor("world")
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def entry(completion_id: str, when: datetime = NOON, **changes: Any) -> Entry:
    fields: dict[str, Any] = {
        "joules": 36.0,
        "joules_full": 72.0,
        "source": "rapl",
        "tokens": 9,
        "mean_exit_layer": 14.5,
        "layers": 30,
        "latency_ms": 120.0,
        "cached": False,
        "model": "smollm2-135m",
        "profile": "eco",
    }
    return Entry(completion_id, when, **(fields | changes))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    opened = Ledger(path, now=lambda: NOON)
    yield opened
    opened.close()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the local time zone cannot be set here")
    # Spelled out, so that no time zone database is needed: UTC+1, in summer UTC+2.
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_day_adds_up_what_was_recorded(ledger: Ledger) -> None:
    ledger.record(entry("a"))
    ledger.record(entry("b", joules=0.0, joules_full=144.0, cached=True))
    ledger.mark_shown("a")
    ledger.mark_accepted("b", 12)
    today = ledger.today(GridFactor("custom", 1000.0))
    assert (today.completions, today.shown, today.accepted, today.tokens) == (2, 2, 1, 18)
    assert today.watt_hours == pytest.approx(0.01)
    assert today.saved_watt_hours == pytest.approx(0.05)
    assert today.grams_co2e == pytest.approx(0.01)
    assert today.grid_factor == "custom"
    assert today.sources == ("rapl",)


def test_a_day_without_completions_cost_nothing(ledger: Ledger) -> None:
    today = ledger.today(WORLD)
    assert (today.completions, today.watt_hours, today.saved_watt_hours, today.grams_co2e) == (0, 0.0, 0.0, 0.0)
    assert ledger.by_day(WORLD) == []


def test_unknown_energy_is_left_out_of_a_day_and_never_counted_as_zero(ledger: Ledger) -> None:
    ledger.record(entry("a", joules=None, joules_full=None, source="unknown"))
    today = ledger.today(WORLD)
    assert (today.watt_hours, today.saved_watt_hours, today.grams_co2e) == (None, None, None)
    assert today.completions == 1

    ledger.record(entry("b"))
    today = ledger.today(WORLD)
    assert today.watt_hours == pytest.approx(0.01)
    assert today.saved_watt_hours == pytest.approx(0.01)
    assert today.sources == ("rapl", "unknown")


def test_days_end_at_local_midnight(berlin: None, path: Path) -> None:
    ledger = Ledger(path, now=lambda: datetime(2026, 5, 4, 22, 30, tzinfo=UTC))
    ledger.record(entry("fourth, 23:59 local", datetime(2026, 5, 4, 21, 59, tzinfo=UTC)))
    ledger.record(entry("fifth, 00:00 local", datetime(2026, 5, 4, 22, 0, tzinfo=UTC)))
    ledger.record(entry("fifth, 23:59 local", datetime(2026, 5, 5, 21, 59, tzinfo=UTC)))
    ledger.record(entry("sixth, 00:01 local", datetime(2026, 5, 5, 22, 1, tzinfo=UTC)))
    days = ledger.by_day(WORLD)
    assert [(total.day, total.completions) for total in days] == [
        (date(2026, 5, 4), 1),
        (date(2026, 5, 5), 2),
        (date(2026, 5, 6), 1),
    ]
    assert ledger.today(WORLD) == days[1]
    ledger.close()


def test_the_day_the_clocks_change_is_one_day(berlin: None, path: Path) -> None:
    ledger = Ledger(path, now=lambda: datetime(2026, 10, 25, 12, 0, tzinfo=UTC))
    ledger.record(entry("first minute", datetime(2026, 10, 24, 22, 0, tzinfo=UTC)))
    ledger.record(entry("last minute", datetime(2026, 10, 25, 22, 59, tzinfo=UTC)))
    assert ledger.today(WORLD).completions == 2
    ledger.close()


def test_an_acceptance_that_grows_counts_once_with_its_greatest_length(ledger: Ledger) -> None:
    ledger.record(entry("a"))
    for length in (3, 10, 5):
        ledger.mark_accepted("a", length)
    assert ledger.today(WORLD).accepted == 1
    assert exported(ledger)[0]["accepted_length"] == "10"


def test_marks_for_an_unknown_completion_change_nothing(ledger: Ledger) -> None:
    ledger.record(entry("a"))
    ledger.mark_shown("b")
    ledger.mark_accepted("b", 3)
    assert (ledger.today(WORLD).shown, ledger.today(WORLD).accepted) == (0, 0)
    assert ledger.reason is None


def exported(ledger: Ledger) -> list[dict[str, str]]:
    stream = io.StringIO()
    ledger.export_csv(stream)
    return list(csv.DictReader(io.StringIO(stream.getvalue())))


def test_the_csv_has_a_column_for_every_field_and_an_empty_cell_for_unknown(ledger: Ledger) -> None:
    ledger.record(entry("a", joules=None, joules_full=None, source="unknown"))
    assert exported(ledger) == [
        {
            "completion_id": "a",
            "when": "2026-05-04T12:00:00.000+00:00",
            "joules": "",
            "joules_full": "",
            "source": "unknown",
            "tokens": "9",
            "mean_exit_layer": "14.5",
            "layers": "30",
            "latency_ms": "120.0",
            "cached": "False",
            "model": "smollm2-135m",
            "profile": "eco",
            "shown": "False",
            "accepted_length": "0",
        }
    ]


def test_the_file_has_no_place_for_code_or_file_names(ledger: Ledger, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        text_columns = {
            name for _, name, kind, *_ in connection.execute("PRAGMA table_info(completions)") if kind == "TEXT"
        }
    assert tables == ["completions"]
    assert text_columns == {"completion_id", "source", "model", "profile"}


def test_a_reset_forgets_everything(ledger: Ledger) -> None:
    ledger.record(entry("a"))
    ledger.reset()
    assert ledger.by_day(WORLD) == []
    ledger.record(entry("a"))
    assert ledger.today(WORLD).completions == 1


def test_what_was_recorded_is_there_after_opening_again(path: Path) -> None:
    first = Ledger(path)
    first.record(entry("a"))
    first.close()
    second = open_ledger(path)
    assert [total.completions for total in second.by_day(WORLD)] == [1]
    second.close()


def test_threads_other_than_the_makers_can_record(ledger: Ledger) -> None:
    def record(thread: int) -> None:
        for number in range(50):
            ledger.record(entry(f"{thread}-{number}"))

    threads = [threading.Thread(target=record, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.today(WORLD).completions == 200
    assert ledger.reason is None


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from greencode_lsp.energy import Entry, open_ledger

ledger = open_ledger(Path(sys.argv[1]))
for number in range(100):
    ledger.record(Entry(f"{sys.argv[2]}-{number}", datetime(2026, 5, 4, 12, tzinfo=UTC), 36.0, 72.0, "rapl", 9, 14.5,
        30, 120.0, False, "smollm2-135m", "eco"))
assert ledger.reason is None, ledger.reason
ledger.close()
"""


def test_processes_that_open_and_write_the_file_at_the_same_time_lose_nothing(path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)]) for number in range(3)]
    assert [writer.wait(timeout=HANG_SECONDS) for writer in writers] == [0, 0, 0]
    ledger = Ledger(path, now=lambda: NOON)
    assert ledger.today(WORLD).completions == 300
    ledger.close()


def test_two_open_ledgers_see_each_others_completions(ledger: Ledger, path: Path) -> None:
    other = Ledger(path, now=lambda: NOON)
    other.record(entry("a"))
    ledger.mark_shown("a")
    assert other.today(WORLD).shown == 1
    other.close()


def test_a_file_that_is_no_database_is_moved_aside_and_kept(path: Path) -> None:
    path.parent.mkdir()
    for number in (1, 2):
        path.write_bytes(b"this was never a database, " * 100)
        ledger = open_ledger(path)
        assert isinstance(ledger, Ledger)
        ledger.record(entry("a"))
        assert len(ledger.by_day(WORLD)) == 1
        ledger.close()
        aside = path.with_name(f"ledger.sqlite.broken-{number}")
        assert aside.read_bytes().startswith(b"this was never")
        path.unlink()


def test_the_log_of_a_broken_file_another_process_holds_goes_with_it(ledger: Ledger, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    ledger.record(entry("still in the log alone"))
    path.write_bytes(b"this was never a database, " * 1000)
    reopened = open_ledger(path)
    assert isinstance(reopened, Ledger)
    assert reopened.by_day(WORLD) == []
    reopened.close()
    assert path.with_name("ledger.sqlite.broken-1").exists()
    assert path.with_name("ledger.sqlite.broken-1-wal").stat().st_size > 0


def test_a_database_damaged_inside_is_moved_aside_and_kept(path: Path) -> None:
    ledger = Ledger(path)
    for number in range(2000):
        ledger.record(entry(str(number)))
    ledger.close()
    damaged = bytearray(path.read_bytes())
    damaged[8192:40960] = b"\xff" * (40960 - 8192)
    path.write_bytes(damaged)
    reopened = open_ledger(path)
    assert isinstance(reopened, Ledger)
    assert reopened.by_day(WORLD) == []
    reopened.close()
    assert path.with_name("ledger.sqlite.broken-1").read_bytes() == damaged


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    Ledger(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    ledger = open_ledger(path)
    assert isinstance(ledger, NullLedger)
    assert "newer greencode" in str(ledger.reason)
    assert path.exists()
    assert not list(path.parent.glob("*.broken*"))


def test_a_folder_that_cannot_be_made_gives_a_ledger_that_knows_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder is needed")
    ledger = open_ledger(tmp_path / "data" / "ledger.sqlite")
    assert isinstance(ledger, NullLedger)
    assert ledger.reason
    ledger.record(entry("a"))
    ledger.mark_shown("a")
    ledger.mark_accepted("a", 1)
    ledger.reset()
    today = ledger.today(WORLD)
    assert (today.completions, today.watt_hours, today.saved_watt_hours, today.grams_co2e) == (0, None, None, None)
    assert ledger.by_day(WORLD) == []
    as_csv = io.StringIO()
    ledger.export_csv(as_csv)
    assert as_csv.getvalue().startswith("completion_id,when,joules,joules_full,source")
    ledger.close()


def test_a_folder_where_the_file_should_be_gives_a_ledger_that_knows_nothing(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    assert isinstance(ledger, NullLedger)
    assert tmp_path.is_dir()


def test_a_file_that_fails_after_opening_is_logged_once_and_never_raises(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    # The connection gone, as every other failure, is an sqlite3.Error.
    ledger.close()
    ledger.record(entry("a"))
    ledger.mark_shown("a")
    ledger.reset()
    assert ledger.today(WORLD).watt_hours is None
    assert ledger.by_day(WORLD) == []
    assert exported(ledger) == []
    assert ledger.reason is not None
    assert len(caplog.records) == 1


def test_the_environment_can_move_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENCODE_DATA", str(tmp_path))
    assert ledger_path() == tmp_path / "ledger.sqlite"
    ledger = open_ledger()
    ledger.close()
    assert (tmp_path / "ledger.sqlite").exists()
    monkeypatch.delenv("GREENCODE_DATA")
    assert ledger_path().name == "ledger.sqlite"
    assert "greencode" in str(ledger_path().parent)


def test_a_summary_leaves_out_the_cache_and_what_was_stopped(ledger: Ledger) -> None:
    ledger.record(entry("old", when=NOON - timedelta(days=9)))
    ledger.record(entry("taken", joules=None))
    ledger.record(entry("cached", cached=True))
    ledger.record(entry("stopped", tokens=0, mean_exit_layer=None))
    ledger.mark_accepted("taken", 4)
    ledger.record(entry("seen", when=NOON + timedelta(seconds=1), latency_ms=140.0))
    ledger.mark_shown("seen")
    summary = ledger.summary_since(NOON - timedelta(days=7))
    assert (summary.computed, summary.shown, summary.accepted, summary.layers) == (2, 2, 1, 30)
    assert summary.latency_ms == pytest.approx({50: 130.0, 90: 138.0, 99: 139.8})
    assert summary.last_joules == ((None, 72.0), (36.0, 72.0))
    assert NullLedger("no disk").summary_since(NOON) == Summary()


def test_only_the_last_days_are_summed_up_where_that_is_asked(ledger: Ledger) -> None:
    for days in (40, 3, 1):
        ledger.record(entry(str(days), when=NOON - timedelta(days=days)))
    assert [total.day.day for total in ledger.by_day(WORLD, last=2)] == [1, 3]
    assert len(ledger.by_day(WORLD)) == 3


def test_pruning_forgets_the_oldest_batch_by_batch(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greencode_lsp.energy.ledger.PRUNED_AT_ONCE", 2)
    for days in range(1, 8):
        ledger.record(entry(str(days), when=NOON - timedelta(days=days)))
    before = NOON - timedelta(days=4)
    assert ledger.prune(before) == 2
    assert [row["completion_id"] for row in exported(ledger)] == ["5", "4", "3", "2", "1"]
    assert [ledger.prune(before), ledger.prune(before)] == [1, 0]
    assert [row["completion_id"] for row in exported(ledger)] == ["4", "3", "2", "1"]


def test_changes_are_made_together_or_not_at_all(ledger: Ledger) -> None:
    ledger.record(entry("a"))
    with pytest.raises(sqlite3.IntegrityError):
        ledger.write([recording(entry("b")), recording(entry("a"))])
    assert ledger.today(WORLD).completions == 1


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open handles cannot be listed here")
def test_a_ledger_that_nobody_uses_any_more_closes_its_file(path: Path) -> None:
    gc.disable()  # sqlite3's connections hold themselves until it runs
    try:
        ledger = Ledger(path)
        ledger.record(entry("a"))
        assert open_handles(path)
        del ledger
        assert not open_handles(path)
    finally:
        gc.enable()


def open_handles(path: Path) -> list[Path]:
    handles = []
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            target = handle.readlink()
            if target.name.startswith(path.name) and target.parent == path.parent:
                handles.append(target)
    return handles
