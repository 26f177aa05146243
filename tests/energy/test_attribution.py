from __future__ import annotations

from random import Random

import pytest

from greencode_lsp.energy import Attribution, Charge, CostTable, Work

from .fakes import FakeClock, FakeMeter

TABLE = CostTable(rows=(1, 4), layer_joules=(0.125, 0.5), head_joules=(1.0, 1.0), source="rapl")
WORK = Work(layer_runs={(12, 1): 10}, head_runs={1: 10})
FULL_WORK = Work(layer_runs={(30, 1): 10}, head_runs={1: 10})
WORK_JOULES = 15.0 + 10.0
FULL_JOULES = 37.5 + 10.0


class Desk:
    """A user who asks for a completion every two seconds on a machine that spends `factor` x the table's joules."""

    def __init__(self, factor: float, table: CostTable | None = TABLE) -> None:
        self.clock = FakeClock()
        self.meter = FakeMeter(self.clock)
        self.attribution = Attribution(table, self.meter, self.clock)
        self.factor = factor

    def complete(self, busy_seconds: float = 0.3) -> Charge:
        self.attribution.begin()
        self.meter.spend(self.factor * WORK_JOULES, busy_seconds)
        charge = self.attribution.end(WORK, FULL_WORK)
        self.meter.spend(5.0, 2.0)
        return charge


def test_a_completion_is_charged_what_its_work_costs_not_what_the_counter_jumped() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)
    attribution = Attribution(TABLE, meter, clock)
    attribution.begin()
    meter.spend(500.0, 0.2)
    assert attribution.end(WORK, FULL_WORK) == Charge(joules=WORK_JOULES, joules_full=FULL_JOULES, source="rapl")


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_the_charges_converge_on_the_counter(factor: float) -> None:
    desk = Desk(factor)
    for _ in range(400):
        charge = desk.complete()
    assert charge.joules == pytest.approx(factor * WORK_JOULES, rel=0.01)
    assert desk.attribution.scale == pytest.approx(factor, rel=0.01)


@pytest.mark.parametrize(("factor", "bound"), [(0.01, 0.5), (50.0, 2.0)])
def test_the_scale_stays_within_bounds_whatever_the_counter_says(factor: float, bound: float) -> None:
    desk = Desk(factor)
    for _ in range(400):
        desk.complete()
    assert desk.attribution.scale == pytest.approx(bound, rel=0.01)


def test_the_saving_does_not_depend_on_the_scale() -> None:
    desk = Desk(1.7)
    for _ in range(400):
        charge = desk.complete()
        assert charge.joules is not None
        assert charge.joules_full is not None
        assert 1 - charge.joules / charge.joules_full == pytest.approx(1 - WORK_JOULES / FULL_JOULES)
    assert desk.attribution.scale > 1.5


def test_one_reconciliation_moves_the_scale_only_part_of_the_way() -> None:
    desk = Desk(1.6)
    while desk.attribution.scale == 1.0:
        desk.complete()
    assert 1.0 < desk.attribution.scale < 1.6


def test_the_scale_waits_for_a_minute_and_for_enough_busy_time() -> None:
    within_a_minute = Desk(1.6)
    for _ in range(20):
        within_a_minute.complete()
    assert within_a_minute.attribution.scale == 1.0

    hardly_busy = Desk(1.6)
    for _ in range(100):
        hardly_busy.complete(busy_seconds=0.02)
    assert hardly_busy.clock.seconds > 1000.0 + 180.0
    assert hardly_busy.attribution.scale == 1.0


def test_a_counter_that_stands_still_does_not_pull_the_charges_down() -> None:
    desk = Desk(0.0)
    for _ in range(100):
        charge = desk.complete()
    assert charge.joules == pytest.approx(WORK_JOULES)


def nvml_scale_after(busy_seconds: float, factor: float) -> float:
    """The scale after many completions at 200 W, between idling at 60 W, on a counter with steps of 100 ms."""
    random = Random(0)
    clock = FakeClock()
    meter = FakeMeter(clock, step_seconds=0.1)
    meter.source = "nvml"
    table = CostTable(rows=(1,), layer_joules=(1.0,), head_joules=(1.0,), source="nvml")
    attribution = Attribution(table, meter, clock)
    work = Work(layer_runs={(1, 1): round(200 * busy_seconds)})
    for _ in range(1000):
        attribution.begin()
        meter.spend(factor * 200 * busy_seconds, busy_seconds)
        attribution.end(work, work)
        idle_seconds = random.uniform(0.3, 3.0)
        meter.spend(60 * idle_seconds, idle_seconds)
    return attribution.scale


def test_completions_as_short_as_the_counters_step_do_not_pull_the_charges_down() -> None:
    assert nvml_scale_after(busy_seconds=0.1, factor=1.0) == 1.0


def test_completions_much_longer_than_the_counters_step_are_reconciled() -> None:
    assert nvml_scale_after(busy_seconds=2.0, factor=1.4) == pytest.approx(1.4, rel=0.05)


def test_a_table_of_another_meter_is_not_reconciled_with_this_one() -> None:
    table = CostTable(TABLE.rows, TABLE.layer_joules, TABLE.head_joules, source="nvml")
    desk = Desk(1.6, table)
    for _ in range(100):
        charge = desk.complete()
    assert charge == Charge(joules=WORK_JOULES, joules_full=FULL_JOULES, source="nvml")


def test_without_a_table_the_energy_is_unknown_not_zero() -> None:
    assert Desk(1.0, table=None).complete() == Charge(joules=None, joules_full=None, source="unknown")


def test_a_cached_answer_costs_nothing_and_that_is_known() -> None:
    desk = Desk(1.0)
    desk.attribution.begin()
    charge = desk.attribution.end(Work(), FULL_WORK)
    assert charge == Charge(joules=0.0, joules_full=FULL_JOULES, source="rapl")
