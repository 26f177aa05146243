from __future__ import annotations

import json
import random

import pytest

from greencode_lsp.energy import CostTable, Work, full_depth
from greencode_lsp.energy.costs import non_decreasing

TABLE = CostTable(rows=(1, 4, 16), layer_joules=(1.0, 2.5, 5.5), head_joules=(8.0, 8.0, 20.0), source="rapl")


def layer_joules(rows: int, table: CostTable = TABLE) -> float:
    return table.joules(Work(layer_runs={(1, rows): 1}))


def test_calibrated_row_counts_cost_what_was_measured() -> None:
    assert [layer_joules(rows) for rows in (1, 4, 16)] == pytest.approx([1.0, 2.5, 5.5])


def test_row_counts_between_are_interpolated_linearly() -> None:
    assert layer_joules(2) == pytest.approx(1.5)
    assert layer_joules(10) == pytest.approx(4.0)


def test_row_counts_above_go_on_along_the_last_line() -> None:
    assert layer_joules(32) == pytest.approx(5.5 + 16 * 0.25)


def test_row_counts_below_go_towards_the_fixed_cost() -> None:
    table = CostTable(rows=(4, 16), layer_joules=(10.0, 22.0), head_joules=(1.0, 1.0), source="rapl")
    assert layer_joules(1, table) == pytest.approx(7.0)


def test_a_cost_is_never_negative() -> None:
    table = CostTable(rows=(4, 5), layer_joules=(1.0, 3.0), head_joules=(-1.0, 1.0), source="rapl")
    assert layer_joules(1, table) == 0.0
    assert table.joules(Work(head_runs={4: 1})) == 0.0
    single = CostTable(rows=(1,), layer_joules=(-1.0,), head_joules=(1.0,), source="rapl")
    assert layer_joules(1, single) == 0.0


def test_more_rows_never_cost_less_even_where_the_measurement_says_so() -> None:
    table = CostTable(rows=(1, 4, 16), layer_joules=(1.0, 3.0, 2.0), head_joules=(1.0, 1.0, 1.0), source="rapl")
    costs = [layer_joules(rows, table) for rows in range(1, 65)]
    assert costs == sorted(costs)
    assert costs[-1] == pytest.approx(2.5)


def test_one_high_reading_is_averaged_with_those_it_contradicts_and_leaves_the_others_alone() -> None:
    measured = (1.0, 1.2, 4.4, 1.6, 3.0, 6.0)
    table = CostTable(rows=(1, 2, 4, 6, 8, 16), layer_joules=measured, head_joules=measured, source="rapl")
    assert table.layer_joules == pytest.approx((1.0, 1.2, 3.0, 3.0, 3.0, 6.0))  # (4.4 + 1.6) / 2, and 3.0 as it was
    assert table.head_joules == table.layer_joules


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        ([], None, ()),
        ([2.0], None, (2.0,)),
        ([1.0, 1.0, 2.0], None, (1.0, 1.0, 2.0)),
        ([4.0, 1.0], None, (2.5, 2.5)),
        ([4.0, 1.0], [1.0, 2.0], (2.0, 2.0)),
        ([3.0, 2.0, 1.0], None, (2.0, 2.0, 2.0)),
        ([1.0, 5.0, 3.0, 0.0, 9.0], None, (1.0, 8 / 3, 8 / 3, 8 / 3, 9.0)),  # 5 and 3 make 4, and with 0 8/3
        ([0.0, 6.0, 3.0, 0.0], [1.0, 1.0, 1.0, 4.0], (0.0, 1.5, 1.5, 1.5)),
    ],
)
def test_the_nearest_values_that_never_decrease(
    values: list[float], weights: list[float] | None, expected: tuple[float, ...]
) -> None:
    assert non_decreasing(values, weights) == pytest.approx(expected)


def test_isotonic_regression_is_that_of_scipy() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    chance = random.Random(29)
    for length in (2, 3, 8, 50):
        values = [chance.gauss(index / 4, 2) for index in range(length)]
        weights = [chance.uniform(0.1, 9) for _ in values]
        assert non_decreasing(values, weights) == pytest.approx(optimize.isotonic_regression(values, weights=weights).x)
        assert non_decreasing(values) == pytest.approx(optimize.isotonic_regression(values).x)


def test_each_value_needs_a_weight() -> None:
    with pytest.raises(ValueError):
        non_decreasing([1.0, 2.0], [1.0])


def test_a_single_point_is_a_fixed_cost_below_and_proportional_above() -> None:
    table = CostTable(rows=(4,), layer_joules=(2.0,), head_joules=(1.0,), source="rapl")
    assert [layer_joules(rows, table) for rows in (1, 4, 8)] == pytest.approx([2.0, 2.0, 4.0])


def test_layers_counts_and_head_runs_add_up() -> None:
    work = Work(layer_runs={(12, 1): 3, (18, 4): 1}, head_runs={1: 3, 16: 1})
    assert TABLE.joules(work) == pytest.approx(12 * 3 * 1.0 + 18 * 2.5 + 3 * 8.0 + 20.0)


def test_no_work_costs_nothing() -> None:
    assert TABLE.joules(Work()) == 0.0


def test_the_sum_of_two_works_costs_the_sum() -> None:
    one = Work(layer_runs={(6, 1): 2}, head_runs={1: 1})
    other = Work(layer_runs={(6, 1): 1, (6, 16): 1}, head_runs={1: 2})
    assert one + other == Work(layer_runs={(6, 1): 3, (6, 16): 1}, head_runs={1: 3})
    assert TABLE.joules(one + other) == pytest.approx(TABLE.joules(one) + TABLE.joules(other))


def test_full_depth_is_a_prefill_in_chunks_and_one_row_per_further_token() -> None:
    assert full_depth(layers=30, prompt_rows=600, new_tokens=16) == Work(
        layer_runs={(30, 256): 2, (30, 88): 1, (30, 1): 15}, head_runs={1: 16}
    )
    assert full_depth(layers=30, prompt_rows=256, new_tokens=1) == Work(layer_runs={(30, 256): 1}, head_runs={1: 1})
    assert full_depth(layers=30, prompt_rows=1, new_tokens=3) == Work(layer_runs={(30, 1): 3}, head_runs={1: 3})


def test_rows_of_a_prompt_that_nobody_reads_cost_a_share_of_the_last_layer() -> None:
    assert full_depth(layers=30, prompt_rows=600, new_tokens=2, unread_share=0.25) == Work(
        layer_runs={(29.25, 256): 2, (29.25, 88): 1, (0.75, 1): 1, (30, 1): 1}, head_runs={1: 2}
    )
    assert full_depth(layers=30, prompt_rows=257, new_tokens=1, unread_share=0.25) == Work(
        layer_runs={(29.25, 256): 1, (30, 1): 1}, head_runs={1: 1}
    )


def test_full_depth_of_a_completion_that_stops_at_once_still_pays_its_prompt() -> None:
    assert full_depth(layers=30, prompt_rows=10, new_tokens=0) == Work(layer_runs={(30, 10): 1}, head_runs={1: 1})
    assert full_depth(layers=30, prompt_rows=0, new_tokens=0) == Work()


def test_a_table_survives_json() -> None:
    assert CostTable.from_json(TABLE.to_json()) == TABLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        TABLE.to_json().replace("[1, 4, 16]", "[1, 4]"),
        TABLE.to_json().replace("[1, 4, 16]", "[4, 1, 16]"),
        TABLE.to_json().replace("2.5", "NaN"),
        json.dumps({"rows": [], "layer_joules": [], "head_joules": [], "source": "rapl"}),
    ],
)
def test_a_broken_table_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        CostTable.from_json(text)
