"""What files cost whose tokens leave at different depths, against sums by hand."""

import numpy as np
import pytest

from greencode_lsp.energy import CostTable
from greencode_lsp.training.policy.costs import Costs, file_costs, measured_costs

COSTS = Costs((2, 4), 6, layer=1.0, head=3.0, translators=(0.5, 0.25), row_cost=0.1)


def test_a_token_at_full_depth_costs_all_layers_and_the_head() -> None:
    assert COSTS.full == 9.0
    assert COSTS.reading.tolist() == [3.5, 3.25, 3.0]
    assert COSTS.segments.tolist() == [2, 2, 2]


def test_rows_that_wait_run_along_with_the_next_that_goes_deeper_and_the_last_never_run() -> None:
    # Depths 2, 6, 2: the first row waits behind layer 2 until the second takes it along for a tenth of its layers.
    ran = np.array([0, 2, 0])
    by_hand = 3 * 2 + (2 + 0.2) + (2 + 0.2)
    assert file_costs(COSTS, ran, np.zeros(3), np.array([0])) == pytest.approx([by_hand])


def test_files_are_counted_apart() -> None:
    ran = np.array([0, 0, 2])
    assert file_costs(COSTS, ran, np.zeros(3), np.array([0, 2])) == pytest.approx([4.0, 6.0])


def test_a_shortlist_is_read_in_place_of_the_head() -> None:
    costs = Costs((2, 6), 6, layer=1.0, head=3.0, translators=(0.5, 0.0), shortlists=(0.4, 0.4))
    assert costs.reading.tolist() == pytest.approx([0.9, 0.4, 3.0])
    assert costs.segments.tolist() == [2, 4, 0]
    # At full depth by the shortlist, then by the whole head: all layers once more, and for the row that waited nothing.
    found = file_costs(costs, np.array([1, 2]), costs.reading[[1, 2]], np.array([0]))
    assert found == pytest.approx([2 * 6 + 0.4 + 3.0])


def test_measured_joules_give_every_part_its_price() -> None:
    table = CostTable((1, 8), (2.0, 9.0), (5.0, 6.0), "estimate")
    costs = measured_costs(table, (2, 4), 6, (0.5, 0.25), (0.1, 0.0))
    assert (costs.layer, costs.head, costs.translators) == (2.0, 5.0, (1.0, 0.5))
    assert costs.shortlists == (0.2, 0.0)
    assert costs.row_cost == pytest.approx((9.0 - 2.0) / (7 * 2.0))
    assert costs.unit == "joules (estimate)"
