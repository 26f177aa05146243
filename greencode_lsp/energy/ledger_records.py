"""What goes into the ledger and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

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


class Recorder(Protocol):
    """Takes down what completions cost."""

    def record(self, entry: Entry) -> None:
        """Add a completion."""


@dataclass(frozen=True)
class Summary:
    """What some computed completions took, and what became of them.

    `accepted` counts those of which the user took anything, at once or of the rest that the cache gave later.
    `latency_ms` holds percentiles by percent and is empty where nothing was computed; `depths` counts completions by
    the layer that their tokens were read at on average, rounded; `last_joules` holds joules and joules at full depth of
    the last ones, oldest first, None where unknown.
    """

    computed: int = 0
    shown: int = 0
    accepted: int = 0
    layers: int = 0
    latency_ms: Mapping[int, float] = field(default_factory=dict)
    depths: Mapping[int, int] = field(default_factory=dict)
    last_joules: Sequence[tuple[float | None, float | None]] = ()


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
