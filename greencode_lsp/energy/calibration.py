"""Measuring the cost table of a model on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

from greencode_lsp.energy.costs import CostTable, non_decreasing
from greencode_lsp.energy.meter import Meter

CALIBRATED_ROWS = (1, 2, 4, 6, 8, 16, 64, 256)
"""Of few rows more are measured: a second one costs next to nothing where weights are waited for, a sixth does not."""

WARM_UP_RUNS = 2
MINIMUM_RUNS = 3
WINDOW_DOUBLINGS = 4

ROUNDS = 3
"""How often each row count is measured, in turns: what another program does meanwhile spoils one of them."""

REPEATS = 2
"""How often a row count whose readings disagree is measured again."""

DISAGREEMENT = 0.2
"""Readings of one row count disagree when the highest exceeds the lowest by more than this share of their median."""

SMALLEST_SPREAD = 0.01
"""Readings are never taken to be more precise than this share of their median."""

Pass = Callable[[int], tuple[float, float]]
"""Runs so many rows through all layers and then the LM head, and returns the seconds that each took."""


class CalibrationError(Exception):
    """The meter did not move while the model ran."""


def calibrate(
    run_pass: Pass,
    layers: int,
    meter: Meter,
    window_seconds: float,
    rows: Sequence[int] = CALIBRATED_ROWS,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[int, int], None] | None = None,
) -> CostTable:
    """Measure joules per layer and per head run for each row count in `rows`.

    Whole passes run, as in decoding: a layer or a head that runs again and again finds its weights in the processor's
    cache and would seem cheap. What the meter counts is shared out between the layers and the head by time.
    A row count whose readings disagree is measured `REPEATS` more times. The costs of more rows never decrease: where
    medians contradict that, each counts by how well its readings agree.
    `progress(done, total)` is called after each measurement; they take about `ROUNDS * len(rows)` windows in all, and
    `total` grows where readings are repeated.
    Raises CalibrationError where the meter stands still even over a window doubled four times.
    """
    done, total = 0, ROUNDS * len(rows)
    measured: dict[int, list[tuple[float, float]]] = {row: [] for row in rows}
    repeated: list[int] = []
    for turn in range(ROUNDS + REPEATS):
        if turn == ROUNDS:
            repeated = [row for row in rows if _disagree([sum(reading) for reading in measured[row]])]
            total += REPEATS * len(repeated)
        for row in rows if turn < ROUNDS else repeated:
            measured[row].append(_Measurement(run_pass, row, meter, clock).joules(window_seconds))
            done += 1
            if progress is not None:
                progress(done, total)
    return CostTable(
        rows=tuple(rows),
        layer_joules=_costs([[layer / layers for layer, _ in measured[row]] for row in rows]),
        head_joules=_costs([[head for _, head in measured[row]] for row in rows]),
        source=meter.source,
    )


def _disagree(readings: Sequence[float]) -> bool:
    return max(readings) - min(readings) > DISAGREEMENT * median(readings)


def _costs(readings: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return a cost for each list of readings: their medians made non-decreasing, each weighted by 1 / spread^2."""
    medians = [median(some) for some in readings]
    spreads = [
        max(max(some) - min(some), SMALLEST_SPREAD * middle, 1e-9)
        for some, middle in zip(readings, medians, strict=True)
    ]
    return non_decreasing(medians, [spread**-2 for spread in spreads])


class _Measurement:
    """One row count, measured once."""

    def __init__(self, run_pass: Pass, rows: int, meter: Meter, clock: Callable[[], float]) -> None:
        self._run_pass, self._rows, self._meter, self._clock = run_pass, rows, meter, clock
        self._head_shares: list[float] = []

    def joules(self, window_seconds: float) -> tuple[float, float]:
        """Return the joules of all layers and of the head in one pass."""
        for _ in range(WARM_UP_RUNS):
            self._run_pass(self._rows)
        for doubling in range(WINDOW_DOUBLINGS + 1):
            window = window_seconds * 2**doubling
            # A counter that steps is read just after a step at both ends: what is left of the step's error is one run.
            if self._run_to_next_step(window) == 0:
                continue
            joules_before, started, runs = self._meter.read_joules(), self._clock(), 0
            while runs < MINIMUM_RUNS or self._clock() - started < window:
                self._run()
                runs += 1
            runs += self._run_to_next_step(window)
            joules = (self._meter.read_joules() - joules_before) / runs
            if joules > 0:
                head = median(self._head_shares)
                return joules * (1 - head), joules * head
        raise CalibrationError(f"the meter ({self._meter.detail}) did not move while the model ran for {window:g} s")

    def _run(self) -> None:
        layers, head = self._run_pass(self._rows)
        self._head_shares.append(head / (layers + head))

    def _run_to_next_step(self, seconds: float) -> int:
        """Run until the counter moves; the number of runs, or 0 where it did not move in that time."""
        joules_before, started, runs = self._meter.read_joules(), self._clock(), 0
        while runs < MINIMUM_RUNS or self._clock() - started < seconds:
            self._run()
            runs += 1
            if self._meter.read_joules() > joules_before:
                return runs
        return 0
