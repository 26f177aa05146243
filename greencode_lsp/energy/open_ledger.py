"""Opening the ledger, whatever state its file is in."""

from __future__ import annotations

import csv
import logging
import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TextIO

import platformdirs

from greencode_lsp.energy.carbon import GridFactor
from greencode_lsp.energy.ledger import BUSY_TIMEOUT_SECONDS, CorruptLedgerError, Ledger, utc_now
from greencode_lsp.energy.ledger_records import EXPORT_COLUMNS, DayTotals, Entry, Summary, empty_day

log = logging.getLogger(__name__)

DATA_VARIABLE = "GREENCODE_DATA"


def ledger_path() -> Path:
    """Where the ledger lies: in the folder GREENCODE_DATA names, else in the user's data folder."""
    folder = os.environ.get(DATA_VARIABLE) or platformdirs.user_data_dir("greencode", appauthor=False)
    return Path(folder) / "ledger.sqlite"


def open_ledger(path: Path | None = None) -> Ledger | NullLedger:
    """Open the ledger, made where it is missing; a NullLedger with the reason where that cannot be.

    A damaged file is moved aside as ledger.sqlite.broken-<n>, never deleted, and a new one begun.
    """
    path = path or ledger_path()
    try:
        return open_or_begin(path)
    except (OSError, sqlite3.Error) as error:
        log.warning("no energy ledger: %s: %s", path, error)
        return NullLedger(f"{path}: {error}")


def open_or_begin(
    path: Path, now: Callable[[], datetime] = utc_now, busy_seconds: float = BUSY_TIMEOUT_SECONDS
) -> Ledger:
    """Open the ledger as `open_ledger` does, but raise OSError or sqlite3.Error where that cannot be."""
    try:
        return Ledger(path, now, busy_seconds)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        log.warning("the energy ledger %s is damaged (%s): moved to %s", path, error, _move_aside(path).name)
        return Ledger(path, now, busy_seconds)


class NullLedger:
    """Stands in for a ledger that cannot be opened, for the `reason` it keeps: takes everything, knows nothing."""

    def __init__(self, reason: str, now: Callable[[], datetime] = utc_now) -> None:
        self.reason: str | None = reason
        self._now = now

    def reading_until(self, stopped: Callable[[], bool]) -> AbstractContextManager[None]:
        """Do nothing: nothing is read."""
        return nullcontext()

    def record(self, entry: Entry) -> None:
        """Forget a completion."""

    def mark_shown(self, completion_id: str) -> None:
        """Do nothing."""

    def mark_accepted(self, completion_id: str, accepted_length: int) -> None:
        """Do nothing."""

    def today(self, grid_factor: GridFactor) -> DayTotals:
        """Return a day of unknown energy."""
        return empty_day(self._now().astimezone().date(), None, grid_factor)

    def by_day(self, grid_factor: GridFactor, last: int | None = None) -> list[DayTotals]:
        """No days."""
        return []

    def summary_since(self, when: datetime) -> Summary:
        """Sum up no completions."""
        return Summary()

    def export_csv(self, stream: TextIO) -> None:
        """Write the header alone."""
        csv.writer(stream, lineterminator="\n").writerow(EXPORT_COLUMNS)

    def reset(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    # The low byte is the kind of error, the rest says more of it.
    return isinstance(error, CorruptLedgerError) or code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _move_aside(path: Path) -> Path:
    number = 1
    while True:
        aside = path.with_name(f"{path.name}.broken-{number}")
        try:
            # Takes the name, so that another process that does the same cannot replace this file.
            aside.touch(exist_ok=False)
            break
        except FileExistsError:
            number += 1
    # The log first: beside a new file it would be taken for that file's.
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside.with_name(aside.name + suffix))
    return aside
