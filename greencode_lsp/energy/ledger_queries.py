"""The SQL of the ledger's file, and what its rows become."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from greencode_lsp.energy.carbon import GridFactor, grams
from greencode_lsp.energy.ledger_records import EXPORT_COLUMNS, DayTotals, Entry

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


class Change(NamedTuple):
    """A statement that changes the file, and its values."""

    statement: str
    values: Sequence[Any] = ()


INSERT = """
INSERT INTO completions (completion_id, time, joules, joules_full, source, tokens, mean_exit_layer, layers, latency_ms,
    cached, model, profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SHOW = "UPDATE completions SET shown = 1 WHERE completion_id = ?"
ACCEPT = "UPDATE completions SET shown = 1, accepted_length = MAX(accepted_length, ?) WHERE completion_id = ?"
FORGET_ALL = Change("DELETE FROM completions")

PRUNE = "DELETE FROM completions WHERE rowid IN (SELECT rowid FROM completions WHERE time < ? ORDER BY time LIMIT ?)"
"""The oldest first, and few at a time: other processes write between two batches."""

# SUM leaves nulls out and is null where there is nothing else: unknown joules do not count as 0.
TOTALS = """
SELECT COUNT(*), SUM(shown), SUM(accepted_length > 0), SUM(tokens), SUM(joules), SUM(joules_full - joules),
    GROUP_CONCAT(DISTINCT source)
FROM completions WHERE time >= ? AND time < ?
"""
NEWEST_BEFORE = "SELECT MAX(time) FROM completions WHERE time < ?"

COMPUTED = "FROM completions WHERE time >= ? AND cached = 0 AND tokens > 0"
"""The completions since a time that were computed to their end."""
COUNTS = f"SELECT COUNT(*), SUM(shown), SUM(accepted_length > 0), MAX(layers) {COMPUTED}"
DEPTHS = f"""
SELECT CAST(ROUND(mean_exit_layer) AS INTEGER) AS layer, COUNT(*) {COMPUTED} AND mean_exit_layer IS NOT NULL
GROUP BY layer ORDER BY layer
"""
LATENCIES = f"""
SELECT rank, latency_ms FROM (SELECT latency_ms, ROW_NUMBER() OVER (ORDER BY latency_ms) - 1 AS rank {COMPUTED})
WHERE rank IN (?, ?, ?, ?, ?, ?)
"""
LAST = f"SELECT joules, joules_full {COMPUTED} ORDER BY time DESC LIMIT ?"

# SQLite writes the cells: to make them in Python takes five times as long.
CELLS = {
    "when": "strftime('%Y-%m-%dT%H:%M:%f', time, 'unixepoch') || '+00:00'",
    "cached": "iif(cached, 'True', 'False')",
    "shown": "iif(shown, 'True', 'False')",
}
EXPORT = f"SELECT {', '.join(CELLS.get(name, name) for name in EXPORT_COLUMNS)} FROM completions ORDER BY time, rowid"


def recording(entry: Entry) -> Change:
    """Return the change that adds a completion."""
    assert entry.when.tzinfo is not None, "an entry's time needs a time zone"
    return Change(
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


def showing(completion_id: str) -> Change:
    """Return the change that notes that the editor showed a completion."""
    return Change(SHOW, (completion_id,))


def accepting(completion_id: str, accepted_length: int) -> Change:
    """Return the change that notes that the user took so many characters of a completion, counted from its start."""
    return Change(ACCEPT, (accepted_length, completion_id))


def span(day: date) -> tuple[float, float]:
    """Return when a local day begins and ends, in seconds since 1970."""
    return _midnight(day), _midnight(day + timedelta(days=1))


def local_day(seconds: float) -> date:
    """Return the local day of a time in seconds since 1970."""
    return date.fromtimestamp(seconds)


def _midnight(day: date) -> float:
    return datetime.combine(day, time.min).astimezone().timestamp()


def day_totals(day: date, row: Sequence[Any], grid_factor: GridFactor) -> DayTotals:
    """Return what a row of `TOTALS` over at least one completion says."""
    completions, shown, accepted, tokens, joules, saved_joules, sources = row
    return DayTotals(
        day=day,
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


def ranks(count: int, percents: Sequence[int]) -> Iterator[int]:
    """Yield the ranks, from 0, of the two values between which each percentile of `count` values lies."""
    for percent in percents:
        exact = (count - 1) * percent / 100
        yield math.floor(exact)
        yield math.ceil(exact)


def percentile(ranked: dict[int, float], count: int, percent: int) -> float:
    """Return a percentile of `count` values, on the line between its two neighbours."""
    exact = (count - 1) * percent / 100
    below, above = ranked[math.floor(exact)], ranked[math.ceil(exact)]
    return below + (above - below) * (exact - math.floor(exact))
