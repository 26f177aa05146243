from __future__ import annotations

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
    def __init__(self, meter: FakeMeter) -> None:
        self.meter = meter

    def run_layers(self, rows: int) -> None:
        joules = LAYERS * true_layer_joules(rows)
        self.meter.spend(joules, joules / WATTS)

    def run_head(self, rows: int) -> None:
        self.meter.spend(true_head_joules(rows), true_head_joules(rows) / WATTS)


@pytest.mark.parametrize("step_seconds", [0.0, 0.02, 0.1])
def test_calibration_recovers_a_known_cost_from_a_counter_that_steps(step_seconds: float) -> None:
    clock = FakeClock()
    meter = FakeMeter(clock, step_seconds)
    model = FakeModel(meter)
    table = calibrate(model.run_layers, LAYERS, model.run_head, meter, window_seconds=2.0, rows=ROWS, clock=clock)
    assert table.rows == ROWS
    assert table.layer_joules == pytest.approx([true_layer_joules(rows) for rows in ROWS], rel=0.02)
    assert table.head_joules == pytest.approx([true_head_joules(rows) for rows in ROWS], rel=0.02)
    assert table.source == "rapl"


def test_progress_counts_up_to_the_number_of_measurements() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)
    model = FakeModel(meter)
    seen: list[tuple[int, int]] = []
    calibrate(
        model.run_layers,
        LAYERS,
        model.run_head,
        meter,
        window_seconds=0.1,
        rows=(1, 4),
        clock=clock,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_every_point_is_measured_over_three_runs_at_least_however_slow_they_are() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)
    runs: list[int] = []

    def run(rows: int) -> None:
        runs.append(rows)
        meter.spend(6.0, 10.0)

    table = calibrate(run, 1, run, meter, window_seconds=0.5, rows=(1,), clock=clock)
    assert len(runs) >= 2 * 3
    assert table.layer_joules == pytest.approx([6.0])


def test_a_counter_slower_than_the_window_gets_a_longer_window() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock, step_seconds=1.0)

    def run(rows: int) -> None:
        meter.spend(0.5, 0.01)

    table = calibrate(run, 1, run, meter, window_seconds=0.2, rows=(1,), clock=clock)
    assert table.layer_joules == pytest.approx([0.5], rel=0.05)


def test_a_counter_that_never_moves_ends_in_one_line_that_names_it() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)

    def run(rows: int) -> None:
        clock.seconds += 0.01

    with pytest.raises(CalibrationError, match="a fake counter") as caught:
        calibrate(run, 1, run, meter, window_seconds=0.5, rows=(1,), clock=clock)
    assert "\n" not in str(caught.value)
    assert "8 s" in str(caught.value)
