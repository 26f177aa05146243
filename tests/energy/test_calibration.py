from __future__ import annotations

import itertools

import pytest

from greencode_lsp.energy import CalibrationError, calibrate

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
