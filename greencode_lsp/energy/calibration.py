"""Measuring the cost table of a model on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from greencode_lsp.energy.costs import CostTable
from greencode_lsp.energy.meter import Meter

CALIBRATED_ROWS = (1, 4, 16, 64, 256)
WARM_UP_RUNS = 2
MINIMUM_RUNS = 3
WINDOW_DOUBLINGS = 4


class CalibrationError(Exception):
    """The meter did not move while the model ran."""


def calibrate(
    run_layers: Callable[[int], None],
    layers_per_run: int,
    run_head: Callable[[int], None],
    meter: Meter,
    window_seconds: float,
    rows: Sequence[int] = CALIBRATED_ROWS,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[int, int], None] | None = None,
) -> CostTable:
    """Measure joules per layer and per head run for each row count in `rows`.

    `run_layers(rows)` runs `layers_per_run` layers, `run_head(rows)` the LM head; both return when the device is done.
    `progress(done, total)` is called after each measurement. Takes about 2 * len(rows) windows. Raises
    CalibrationError where the meter stands still even over a window doubled four times.
    """
    total = 2 * len(rows)
    joules: list[float] = []
    for run in (run_layers, run_head):
        for row in rows:
            joules.append(_joules_per_run(run, row, meter, window_seconds, clock))
            if progress is not None:
                progress(len(joules), total)
    return CostTable(
        rows=tuple(rows),
        layer_joules=tuple(each / layers_per_run for each in joules[: len(rows)]),
        head_joules=tuple(joules[len(rows) :]),
        source=meter.source,
    )


def _joules_per_run(
    run: Callable[[int], None], rows: int, meter: Meter, window_seconds: float, clock: Callable[[], float]
) -> float:
    for _ in range(WARM_UP_RUNS):
        run(rows)
    for doubling in range(WINDOW_DOUBLINGS + 1):
        window = window_seconds * 2**doubling
        # A counter that steps is read just after a step at both ends: what is left of the step's error is one run.
        if _run_to_next_step(run, rows, meter, window, clock) == 0:
            continue
        joules_before, started, runs = meter.read_joules(), clock(), 0
        while runs < MINIMUM_RUNS or clock() - started < window:
            run(rows)
            runs += 1
        runs += _run_to_next_step(run, rows, meter, window, clock)
        joules = meter.read_joules() - joules_before
        if joules > 0:
            return joules / runs
    raise CalibrationError(f"the meter ({meter.detail}) did not move while the model ran for {window:g} s")


def _run_to_next_step(
    run: Callable[[int], None], rows: int, meter: Meter, seconds: float, clock: Callable[[], float]
) -> int:
    """Run until the counter moves; the number of runs, or 0 where it did not move in `seconds`."""
    joules_before, started, runs = meter.read_joules(), clock(), 0
    while runs < MINIMUM_RUNS or clock() - started < seconds:
        run(rows)
        runs += 1
        if meter.read_joules() > joules_before:
            return runs
    return 0
