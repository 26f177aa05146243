"""Reading the clock and the meter together."""

from __future__ import annotations

import time
from dataclasses import dataclass

from greencode_lsp.energy import Meter
from greencode_lsp.energy.attribution import STEP_SECONDS, WINDOW_STEPS


@dataclass(frozen=True)
class Reading:
    """A moment, and the joules counted until then; or a span of time and its joules, None where unknown."""

    seconds: float
    joules: float | None


class Gauge:
    """Reads time and joules. Without a meter, joules are unknown."""

    def __init__(self, meter: Meter | None) -> None:
        self._meter = meter
        self._shortest_seconds = WINDOW_STEPS * STEP_SECONDS[meter.source] if meter else 0.0

    @property
    def source(self) -> str | None:
        """Where the joules come from."""
        return self._meter.source if self._meter else None

    def read(self) -> Reading:
        """Read both now."""
        joules = self._meter.read_joules() if self._meter else None
        return Reading(time.perf_counter(), joules)

    def between(self, begun: Reading, ended: Reading) -> Reading:
        """Return what lies between two readings; the joules are unknown where a counter's steps are too coarse."""
        seconds = ended.seconds - begun.seconds
        if begun.joules is None or ended.joules is None or seconds < self._shortest_seconds:
            return Reading(seconds, None)
        return Reading(seconds, ended.joules - begun.joules)
