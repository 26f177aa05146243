from __future__ import annotations

import itertools

import pytest

from greencode_lsp.energy import CalibrationError, calibrate
from greencode_lsp.energy.calibration import REPEATS, ROUNDS, Pass

from .fakes import FakeClock, FakeMeter

ROWS = (1, 4, 16, 64, 256)
LAYERS = 5
WATTS = 40.0


def true_layer_joules(rows: int) -> float:
    return 0.02 + 0.001 * rows


def true_head_joules(rows: int) -> float:
    return 0.15 + 0.002 * rows


class FakeModel:
    def __init__(self, meter: FakeMeter, clock: FakeClock) -> None:
        self.meter, self.clock = meter, clock
        self.passes: list[int] = []

    def run_pass(self, rows: int) -> tuple[float, float]:
        self.passes.append(rows)
        layers, head = LAYERS * true_layer_joules(rows), true_head_joules(rows)
        self.meter.spend(layers, layers / WATTS)
        self.meter.spend(head, head / WATTS)
        return layers / WATTS, head / WATTS


@pytest.mark.parametrize("step_seconds", [0.0, 0.02, 0.1])
def test_calibration_recovers_a_known_cost_from_a_counter_that_steps(step_seconds: float) -> None:
    clock = FakeClock()
    meter = FakeMeter(clock, step_seconds)
    model = FakeModel(meter, clock)
    table = calibrate(model.run_pass, LAYERS, meter, window_seconds=2.0, rows=ROWS, clock=clock)
    assert table.rows == ROWS
    assert table.layer_joules == pytest.approx([true_layer_joules(rows) for rows in ROWS], rel=0.02)
    assert table.head_joules == pytest.approx([true_head_joules(rows) for rows in ROWS], rel=0.02)
    assert table.source == "rapl"


def test_row_counts_are_measured_in_turns_and_progress_counts_them() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)
    model = FakeModel(meter, clock)
    seen: list[tuple[int, int]] = []
    calibrate(
        model.run_pass,
        LAYERS,
        meter,
        window_seconds=0.1,
        rows=(1, 4),
        clock=clock,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(done, 6) for done in range(1, 7)]
    assert [rows for rows, _ in itertools.groupby(model.passes)] == [1, 4, 1, 4, 1, 4]


def test_a_burst_of_another_program_spoils_nothing() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)
    model = FakeModel(meter, clock)

    def run_pass(rows: int) -> tuple[float, float]:
        if 5 < len(model.passes) < 15:
            meter.spend(3.0, 0.0)
        return model.run_pass(rows)

    table = calibrate(run_pass, LAYERS, meter, window_seconds=0.2, rows=(1,), clock=clock)
    assert table.layer_joules == pytest.approx([true_layer_joules(1)], rel=0.02)


def disturbed(model: FakeModel, meter: FakeMeter, spoilt: set[tuple[int, int]]) -> tuple[Pass, list[int]]:
    """Return a pass that another program makes ten times as dear in some windows, and the row count of each window.

    Windows are numbered from 0 for each row count; those that follow each other directly are one.
    """
    windows: list[int] = []

    def run_pass(rows: int) -> tuple[float, float]:
        if not windows or windows[-1] != rows:
            windows.append(rows)
        if (rows, windows.count(rows) - 1) in spoilt:
            meter.spend(9 * (LAYERS * true_layer_joules(rows) + true_head_joules(rows)), 0.0)
        return model.run_pass(rows)

    return run_pass, windows


def test_readings_that_disagree_are_repeated_and_no_others() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)
    run_pass, windows = disturbed(FakeModel(meter, clock), meter, {(4, 0), (4, 2)})
    seen: list[tuple[int, int]] = []
    table = calibrate(
        run_pass,
        LAYERS,
        meter,
        window_seconds=0.2,
        rows=(1, 4, 16),
        clock=clock,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert windows == [1, 4, 16] * 3 + [4]
    assert seen == [(done, 9) for done in range(1, 10)] + [(10, 11), (11, 11)]
    assert table.layer_joules == pytest.approx([true_layer_joules(rows) for rows in (1, 4, 16)], rel=0.02)


def test_repeats_end_where_readings_go_on_to_disagree() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)
    model = FakeModel(meter, clock)
    windows: list[int] = []

    def run_pass(rows: int) -> tuple[float, float]:
        meter.spend(len(windows) * 1.0, 0.0)
        return model.run_pass(rows)

    calibrate(
        run_pass,
        LAYERS,
        meter,
        window_seconds=0.2,
        rows=(1, 4),
        clock=clock,
        progress=lambda done, total: windows.append(done),
    )
    assert windows == list(range(1, 2 * (ROUNDS + REPEATS) + 1))


def test_a_row_count_that_stays_dear_by_chance_weighs_less_than_those_that_agree() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)
    spoilt = {(4, 0), (4, 3)}  # the last two readings are the third window: three of five are spoilt
    run_pass, _ = disturbed(FakeModel(meter, clock), meter, spoilt)
    table = calibrate(run_pass, LAYERS, meter, window_seconds=0.2, rows=(1, 4, 16, 64), clock=clock)
    alone = [true_layer_joules(rows) for rows in (1, 4, 16, 64)]
    assert [table.layer_joules[0], table.layer_joules[3]] == pytest.approx([alone[0], alone[3]], rel=0.02)
    assert table.layer_joules[1] == table.layer_joules[2] == pytest.approx(alone[2], rel=0.02)


def test_every_point_is_measured_over_three_runs_at_least_however_slow_they_are() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)
    runs: list[int] = []

    def run_pass(rows: int) -> tuple[float, float]:
        runs.append(rows)
        meter.spend(6.0, 10.0)
        return 7.5, 2.5

    table = calibrate(run_pass, 1, meter, window_seconds=0.5, rows=(1,), clock=clock)
    assert len(runs) >= 3 * 3
    assert table.layer_joules == pytest.approx([4.5])
    assert table.head_joules == pytest.approx([1.5])


def test_a_counter_slower_than_the_window_gets_a_longer_window() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock, step_seconds=1.0)

    def run_pass(rows: int) -> tuple[float, float]:
        meter.spend(0.5, 0.01)
        return 0.01, 0.0

    table = calibrate(run_pass, 1, meter, window_seconds=0.2, rows=(1,), clock=clock)
    assert table.layer_joules == pytest.approx([0.5], rel=0.05)


def test_a_counter_that_never_moves_ends_in_one_line_that_names_it() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)

    def run_pass(rows: int) -> tuple[float, float]:
        clock.seconds += 0.01
        return 0.01, 0.0

    with pytest.raises(CalibrationError, match="a fake counter") as caught:
        calibrate(run_pass, 1, meter, window_seconds=0.5, rows=(1,), clock=clock)
    assert "\n" not in str(caught.value)
    assert "8 s" in str(caught.value)
