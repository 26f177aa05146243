"""Charging each completion its share of the energy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from greencode_lsp.energy.costs import CostTable, Work
from greencode_lsp.energy.meter import Meter

RECONCILE_SECONDS = 60.0
RECONCILE_BUSY_SECONDS = 3.0
LOWEST_SCALE, HIGHEST_SCALE = 0.5, 2.0
SMOOTHING = 0.5

STEP_SECONDS = {"nvml": 0.1, "rapl": 0.001, "estimate": 0.0}
"""How far apart a counter's steps lie, at most."""
WINDOW_STEPS = 10


@dataclass(frozen=True)
class Charge:
    """What a completion cost, and would have cost at full depth; None is unknown."""

    joules: float | None
    joules_full: float | None
    source: str


UNKNOWN_CHARGE = Charge(joules=None, joules_full=None, source="unknown")


class Attribution:
    """Charges completions by what they ran, and keeps the sum of the charges true to the counter.

    A counter steps every 20-100 ms and a completion lasts 50-500 ms: one difference is noise. So a charge is the
    calibrated cost of the work times `scale`, and each minute `scale` moves towards counted / calibrated joules of the
    busy time since. It applies to `joules` and `joules_full` alike: the saving stays what calibration found.

    Only completions of ten steps of the counter or more take part. Half a step of work is still hidden when one ends,
    and half a step of idling shows in its place: over short completions this does not average out (100 ms on a counter
    of 100 ms would come out a third too low). With NVML the calibrated figures mostly stand as they are.

    `table` is None where calibration failed: all charges are unknown then. Used from the model thread only.
    """

    def __init__(self, table: CostTable | None, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self.scale = 1.0
        self._table = table
        self._meter = meter
        self._clock = clock
        # A table another kind of meter measured has nothing to learn from this one.
        self._reconciles = table is not None and table.source == meter.source
        self._shortest_window_seconds = WINDOW_STEPS * STEP_SECONDS.get(meter.source, 0.0)
        self._begun_seconds = 0.0
        self._begun_joules = 0.0
        self._start_period()

    @property
    def detail(self) -> str:
        """Say for people where the joules come from."""
        return "nothing: calibration failed" if self._table is None else self._meter.detail

    def begin(self) -> None:
        """Call right before the model starts on a completion."""
        self._begun_seconds = self._clock()
        self._begun_joules = self._meter.read_joules()

    def end(self, work: Work, full_work: Work) -> Charge:
        """Call when the model is done, or was stopped, with what ran and what full depth would have run.

        Work without runs (a cached answer) costs 0.0 joules, which is the truth.
        """
        if self._table is None:
            return UNKNOWN_CHARGE
        joules = self._table.joules(work)
        now = self._clock()
        window_seconds = now - self._begun_seconds
        if window_seconds >= self._shortest_window_seconds:
            self._busy_seconds += window_seconds
            self._counted_joules += self._meter.read_joules() - self._begun_joules
            self._calibrated_joules += joules
        charge = Charge(
            joules=joules * self.scale,
            joules_full=self._table.joules(full_work) * self.scale,
            source=self._table.source,
        )
        if now - self._period_began >= RECONCILE_SECONDS and self._busy_seconds >= RECONCILE_BUSY_SECONDS:
            self._reconcile()
        return charge

    def _reconcile(self) -> None:
        # A counter that stood still has failed: the scale stays.
        if self._reconciles and self._counted_joules > 0 and self._calibrated_joules > 0:
            ratio = self._counted_joules / self._calibrated_joules
            bounded = min(max(ratio, LOWEST_SCALE), HIGHEST_SCALE)
            self.scale += SMOOTHING * (bounded - self.scale)
        self._start_period()

    def _start_period(self) -> None:
        self._period_began = self._clock()
        self._busy_seconds = 0.0
        self._counted_joules = 0.0
        self._calibrated_joules = 0.0
