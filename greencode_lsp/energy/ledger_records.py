"""What goes into the ledger and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from greencode_lsp.energy.carbon import GridFactor

EXPORT_COLUMNS = (
    "completion_id",
    "when",
    "joules",
    "joules_full",
    "source",
    "tokens",
    "mean_exit_layer",
    "layers",
    "latency_ms",
    "cached",
    "model",
    "profile",
    "shown",
    "accepted_length",
)


@dataclass(frozen=True)
class Entry:
    """One completion; None is unknown.

    `completion_id` is unique over all processes, `when` has a time zone, `model` is a bundle's name, never a path.
    """

    completion_id: str
    when: datetime
    joules: float | None
    joules_full: float | None
    source: str
    tokens: int
    mean_exit_layer: float | None
    layers: int
    latency_ms: float
    cached: bool
    model: str
    profile: str


@dataclass(frozen=True)
class Computed:
    """What one computed completion took, and what became of it; None is unknown.

    `accepted` says whether the user took any of it, at once or of the rest that the cache gave later.
    """

    joules: float | None
    joules_full: float | None
    mean_exit_layer: float | None
    layers: int
    latency_ms: float
    shown: bool
    accepted: bool


@dataclass(frozen=True)
class DayTotals:
    """The sums of one local calendar day; None is unknown.

    Completions of unknown energy add nothing to the energy figures; `sources` holds "unknown" then.
    """

    day: date
    completions: int
    shown: int
    accepted: int
    tokens: int
    watt_hours: float | None
    saved_watt_hours: float | None
    grams_co2e: float | None
    grid_factor: str
    sources: tuple[str, ...]


def empty_day(day: date, watt_hours: float | None, grid_factor: GridFactor) -> DayTotals:
    """Make a day without completions; `watt_hours` is 0, or None where nothing is known of it."""
    return DayTotals(
        day=day,
        completions=0,
        shown=0,
        accepted=0,
        tokens=0,
        watt_hours=watt_hours,
        saved_watt_hours=watt_hours,
        grams_co2e=watt_hours,
        grid_factor=grid_factor.name,
        sources=(),
    )
