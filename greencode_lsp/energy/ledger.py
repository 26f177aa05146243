"""What the completions of this user cost, kept in one local SQLite file. Never code, never file names."""

from __future__ import annotations

import csv
import logging
import sqlite3
import threading
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TextIO

from greencode_lsp.energy.carbon import GridFactor, grams
from greencode_lsp.energy.ledger_records import EXPORT_COLUMNS, Computed, DayTotals, Entry, empty_day

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
BUSY_TIMEOUT_SECONDS = 1.0
JOULES_PER_WATT_HOUR = 3600.0

# `time` is seconds since 1970 (UTC); `accepted_length` is in characters as the editor counts them, 0 for not accepted.
SCHEMA = """
CREATE TABLE completions (
    completion_id TEXT PRIMARY KEY,
    time REAL NOT NULL,
    joules REAL,
    joules_full REAL,
    source TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    mean_exit_layer REAL,
    layers INTEGER NOT NULL,
    latency_ms REAL NOT NULL,
    cached INTEGER NOT NULL,
    model TEXT NOT NULL,
    profile TEXT NOT NULL,
    shown INTEGER NOT NULL DEFAULT 0,
    accepted_length INTEGER NOT NULL DEFAULT 0
)
"""
TIME_INDEX = "CREATE INDEX completions_by_time ON completions (time)"

INSERT = """
INSERT INTO completions (completion_id, time, joules, joules_full, source, tokens, mean_exit_layer, layers, latency_ms,
    cached, model, profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# SUM leaves nulls out and is null where there is nothing else: unknown joules do not count as 0.
TOTALS = """
SELECT date(time, 'unixepoch', 'localtime') AS day, COUNT(*), SUM(shown), SUM(accepted_length > 0), SUM(tokens),
    SUM(joules), SUM(joules_full - joules), GROUP_CONCAT(DISTINCT source)
FROM completions WHERE time >= ? AND time < ? GROUP BY day ORDER BY day
"""


COMPUTED = """
SELECT joules, joules_full, mean_exit_layer, layers, latency_ms, shown, accepted_length > 0
FROM completions WHERE time >= ? AND cached = 0 AND tokens > 0 ORDER BY time
"""


class CorruptLedgerError(sqlite3.DatabaseError):
    """The file is a SQLite database, but a damaged one."""


class Ledger:
    """The ledger in the file `path`, shared with other processes; usable from any thread.

    Making one raises sqlite3.Error or OSError (`open_ledger` does not); after that a failing file is logged once, kept
    in `reason`, and answered with unknown or empty results.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = path
        self.reason: str | None = None
        self._now = now
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Autocommit, so that no transaction stays open between two calls.
        self._connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        # A connection is part of a cycle of its own: without this it stays open until Python looks for cycles.
        weakref.finalize(self, self._connection.close)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        # Fails here, not at the first completion, where the file cannot be written.
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise sqlite3.NotSupportedError(f"{self.path} was written by a newer greencode: update this one")
        if version < SCHEMA_VERSION:
            connection.execute(SCHEMA)
            connection.execute(TIME_INDEX)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise CorruptLedgerError(verdict)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Another process that opens the file at the same time makes the switch, for good and for all.
            log.debug("write-ahead log not switched on: %s", error)
        # With a write-ahead log this still survives a crash of the program, and does not sync at every completion.
        connection.execute("PRAGMA synchronous = NORMAL")

    def record(self, entry: Entry) -> None:
        """Add a completion."""
        assert entry.when.tzinfo is not None, "an entry's time needs a time zone"
        self._execute(
            INSERT,
            (
                entry.completion_id,
                entry.when.timestamp(),
                entry.joules,
                entry.joules_full,
                entry.source,
                entry.tokens,
                entry.mean_exit_layer,
                entry.layers,
                entry.latency_ms,
                entry.cached,
                entry.model,
                entry.profile,
            ),
        )

    def mark_shown(self, completion_id: str) -> None:
        """Note that the editor showed a completion."""
        self._execute("UPDATE completions SET shown = 1 WHERE completion_id = ?", (completion_id,))

    def mark_accepted(self, completion_id: str, accepted_length: int) -> None:
        """Note that the user took `accepted_length` characters of a completion, counted from its start."""
        self._execute(
            "UPDATE completions SET shown = 1, accepted_length = MAX(accepted_length, ?) WHERE completion_id = ?",
            (accepted_length, completion_id),
        )

    def today(self, grid_factor: GridFactor) -> DayTotals:
        """Sum up the current local day; a day without completions cost 0."""
        day = self._now().astimezone().date()
        rows = self._execute(TOTALS, (_midnight(day), _midnight(day + timedelta(days=1))))
        if rows is None:
            return empty_day(day, None, grid_factor)
        return _day_totals(rows[0], grid_factor) if rows else empty_day(day, 0.0, grid_factor)

    def by_day(self, grid_factor: GridFactor) -> list[DayTotals]:
        """Sum up every local day with a completion, oldest first."""
        rows = self._execute(TOTALS, (float("-inf"), float("inf")))
        return [_day_totals(row, grid_factor) for row in rows or []]

    def computed_since(self, when: datetime) -> list[Computed]:
        """Return the completions since then that were computed to their end, oldest first."""
        rows = self._execute(COMPUTED, (when.timestamp(),))
        return [_computed(row) for row in rows or []]

    def export_csv(self, stream: TextIO) -> None:
        """Write every completion as CSV, oldest first; unknown is an empty cell, `when` is UTC."""
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(EXPORT_COLUMNS)
        writer.writerows(self._export_rows())

    def reset(self) -> None:
        """Forget all completions."""
        self._execute("DELETE FROM completions")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _export_rows(self) -> list[tuple[Any, ...]]:
        columns = ", ".join(EXPORT_COLUMNS).replace("when", "time")
        rows = self._execute(f"SELECT {columns} FROM completions ORDER BY time, completion_id") or []
        exported = []
        for row in rows:
            values = dict(zip(EXPORT_COLUMNS, row, strict=True))
            values["when"] = datetime.fromtimestamp(values["when"], UTC).isoformat(timespec="milliseconds")
            values["cached"], values["shown"] = bool(values["cached"]), bool(values["shown"])
            exported.append(tuple(values.values()))
        return exported

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> list[Any] | None:
        """Return the rows a statement gives, or None where the file fails."""
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            if self.reason is None:
                self.reason = f"{self.path}: {error}"
                log.warning("the energy ledger fails: %s", self.reason)
            return None


def _midnight(day: date) -> float:
    """When a local day begins, in seconds since 1970."""
    return datetime.combine(day, time.min).astimezone().timestamp()


def _computed(row: tuple[Any, ...]) -> Computed:
    joules, joules_full, mean_exit_layer, layers, latency_ms, shown, accepted = row
    return Computed(joules, joules_full, mean_exit_layer, layers, latency_ms, bool(shown), bool(accepted))


def _day_totals(row: tuple[Any, ...], grid_factor: GridFactor) -> DayTotals:
    day, completions, shown, accepted, tokens, joules, saved_joules, sources = row
    return DayTotals(
        day=date.fromisoformat(day),
        completions=completions,
        shown=shown,
        accepted=accepted,
        tokens=tokens,
        watt_hours=None if joules is None else joules / JOULES_PER_WATT_HOUR,
        saved_watt_hours=None if saved_joules is None else saved_joules / JOULES_PER_WATT_HOUR,
        grams_co2e=None if joules is None else grams(joules, grid_factor),
        grid_factor=grid_factor.name,
        sources=tuple(sorted(sources.split(","))),
    )
