"""What the completions of this user cost, kept in one local SQLite file. Never code, never file names."""

from __future__ import annotations

import csv
import logging
import os
import sqlite3
import stat
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO, TypeVar

from greencode_lsp.energy import ledger_queries as queries
from greencode_lsp.energy.carbon import GridFactor
from greencode_lsp.energy.ledger_queries import Change
from greencode_lsp.energy.ledger_records import EXPORT_COLUMNS, DayTotals, Entry, Summary, empty_day

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
BUSY_TIMEOUT_SECONDS = 1.0

PRUNED_AT_ONCE = 5000
"""Rows: a batch locks the file for some tens of milliseconds."""

LAST_COMPLETIONS = 60

STEPS_BETWEEN_LOOKS = 10_000
"""Instructions of SQLite's machine, some tenths of a millisecond, between two looks at whether to go on reading."""

Read = TypeVar("Read")


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class CorruptLedgerError(sqlite3.DatabaseError):
    """The file is a SQLite database, but a damaged one."""


class Ledger:
    """The ledger in the file `path`, shared with other processes; usable from any thread.

    Making one raises sqlite3.Error or OSError (`open_ledger` does not), and so do `write` and `prune`; in all other
    methods a failing file is logged once, kept in `reason`, and answered with unknown or empty results. A file that
    another process has locked fails after `busy_seconds`.
    """

    def __init__(
        self,
        path: Path,
        now: Callable[[], datetime] = utc_now,
        busy_seconds: float = BUSY_TIMEOUT_SECONDS,
    ) -> None:
        self.path = path
        self.reason: str | None = None
        self._now = now
        self._lock = threading.Lock()
        make_private(path)
        # Autocommit, so that no transaction stays open between two calls.
        self._connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        # A connection is part of a cycle of its own: without this it stays open until Python looks for cycles.
        weakref.finalize(self, self._connection.close)
        try:
            self._prepare()
            self._file = _identity(path)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        connection = self._connection
        try:
            # Fails here, not at the first completion, where the file cannot be written.
            with self._transaction("IMMEDIATE"):
                if self._version() < SCHEMA_VERSION:
                    connection.execute(queries.SCHEMA)
                    connection.execute(queries.TIME_INDEX)
                    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.OperationalError as error:
            # Another process is writing: what is there can be read meanwhile.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or self._version() < SCHEMA_VERSION:
                raise
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

    def _version(self) -> int:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise sqlite3.NotSupportedError(f"{self.path} was written by a newer greencode: update this one")
        return int(version)

    # Writing

    def write(self, changes: Sequence[Change]) -> None:
        """Make changes, all or none; raise sqlite3.Error where that fails."""
        with self._transaction("IMMEDIATE"):
            for change in changes:
                self._connection.execute(*change)

    def record(self, entry: Entry) -> None:
        """Add a completion."""
        self._try_to_write(queries.recording(entry))

    def mark_shown(self, completion_id: str) -> None:
        """Note that the editor showed a completion."""
        self._try_to_write(queries.showing(completion_id))

    def mark_accepted(self, completion_id: str, accepted_length: int) -> None:
        """Note that the user took `accepted_length` characters of a completion, counted from its start."""
        self._try_to_write(queries.accepting(completion_id, accepted_length))

    def reset(self) -> None:
        """Forget all completions."""
        self._try_to_write(queries.FORGET_ALL)

    def prune(self, before: datetime) -> int:
        """Forget up to `PRUNED_AT_ONCE` of the completions before a time; return how many, raise sqlite3.Error."""
        with self._transaction("IMMEDIATE"):
            return self._connection.execute(queries.PRUNE, (before.timestamp(), PRUNED_AT_ONCE)).rowcount

    # Reading

    def today(self, grid_factor: GridFactor) -> DayTotals:
        """Sum up the current local day; a day without completions cost 0."""
        day = self._now().astimezone().date()
        row = self._read(lambda: self._connection.execute(queries.TOTALS, queries.span(day)).fetchone(), None)
        if row is None:
            return empty_day(day, None, grid_factor)
        return queries.day_totals(day, row, grid_factor) if row[0] else empty_day(day, 0.0, grid_factor)

    def by_day(self, grid_factor: GridFactor, last: int | None = None) -> list[DayTotals]:
        """Sum up every local day with a completion, oldest first; only the `last` so many of them where that is given.

        From day to day by the index on time: to ask SQLite for the local day of every row takes ten times as long.
        """

        def read() -> list[DayTotals]:
            days: list[DayTotals] = []
            end = float("inf")
            while last is None or len(days) < last:
                (newest,) = self._connection.execute(queries.NEWEST_BEFORE, (end,)).fetchone()
                if newest is None:
                    break
                day = queries.local_day(newest)
                begin, _ = queries.span(day)
                row = self._connection.execute(queries.TOTALS, (begin, end)).fetchone()
                days.append(queries.day_totals(day, row, grid_factor))
                end = begin
            return days[::-1]

        return self._read(read, [])

    def summary_since(self, when: datetime) -> Summary:
        """Sum up the completions since then that were computed to their end."""
        since = when.timestamp()

        def read() -> Summary:
            count, shown, accepted, layers = self._connection.execute(queries.COUNTS, (since,)).fetchone()
            if not count:
                return Summary()
            asked = (since, *queries.ranks(count, (50, 90, 99)))
            ranked = dict(self._connection.execute(queries.LATENCIES, asked).fetchall())
            last = self._connection.execute(queries.LAST, (since, LAST_COMPLETIONS)).fetchall()
            return Summary(
                computed=count,
                shown=shown,
                accepted=accepted,
                layers=layers,
                latency_ms={percent: queries.percentile(ranked, count, percent) for percent in (50, 90, 99)},
                depths=dict(self._connection.execute(queries.DEPTHS, (since,)).fetchall()),
                last_joules=tuple(last[::-1]),
            )

        return self._read(read, Summary())

    def export_csv(self, stream: TextIO) -> None:
        """Write every completion as CSV, oldest first; unknown is an empty cell, `when` is UTC."""
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(EXPORT_COLUMNS)
        self._read(lambda: writer.writerows(self._connection.execute(queries.EXPORT)), None)

    # The file

    @property
    def is_displaced(self) -> bool:
        """Whether the file at `path` is gone, or another one than was opened: what is written now would be lost."""
        return _identity(self.path) != self._file

    @contextmanager
    def reading_until(self, stopped: Callable[[], bool]) -> Iterator[None]:
        """Let what is read in this block fail with "interrupted" from when `stopped` says so, however long it takes.

        SQLite's own `interrupt` only reaches what runs at that moment, and not what is about to begin.
        """
        self._connection.set_progress_handler(stopped, STEPS_BETWEEN_LOOKS)
        try:
            yield
        finally:
            self._connection.set_progress_handler(None, 0)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        with self._lock:
            self._connection.execute(f"BEGIN {kind}")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _try_to_write(self, change: Change) -> None:
        try:
            self.write([change])
        except sqlite3.Error as error:
            self._fail(error)

    def _read(self, read: Callable[[], Read], unknown: Read) -> Read:
        """Return what is read from one state of the file, `unknown` where it fails."""
        try:
            with self._transaction("DEFERRED"):
                return read()
        except sqlite3.Error as error:
            self._fail(error)
            return unknown

    def _fail(self, error: sqlite3.Error) -> None:
        if self.reason is None:
            self.reason = f"{self.path}: {error}"
            log.warning("the energy ledger fails: %s", self.reason)


def make_private(path: Path) -> None:
    """Let nobody else read a ledger, made here where it is missing; SQLite gives its log the file's own permissions."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return
    if os.name == "posix":
        for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            with suppress(OSError):  # another user's, or a file system without permissions
                if (mode := file.stat().st_mode) & 0o077:
                    file.chmod(stat.S_IMODE(mode) & ~0o077)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
