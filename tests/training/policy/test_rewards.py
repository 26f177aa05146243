import numpy as np
import pytest

from greencode_lsp.training.policy.costs import Costs
from greencode_lsp.training.policy.paper_rewards import paper_rewards, paper_variant, without_hopeless
from greencode_lsp.training.policy.rewards import STOP_PENALTY, energy_rewards
from greencode_lsp.training.policy.supervised import harmless
from greencode_lsp.training.policy.trace_set import TraceSet


def traces_of(predicted, true, exits=(4, 6, 8), layers=10):
    predicted = np.array(predicted, np.int32)
    rows = len(predicted)
    return TraceSet(
        exits,
        layers,
        np.zeros((rows, len(exits), 2), np.float16),
        predicted,
        np.full(predicted.shape, 0.5, np.float16),
        np.array(true, np.int32),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.int64),
    )


def test_energy_is_priced_in_tokens_of_full_depth():
    traces = traces_of([[1, 2, 2, 2]], [2])
    costs = Costs((4, 6, 8), 10, head=2.0, translators=(1.0, 0.0, 0.0), row_cost=0.25)
    rewards = energy_rewards(traces, costs, price=0.6)  # a full token costs 12: 0.05 for each layer
    assert rewards.leave[0] == pytest.approx([0 - 3 * 0.05, 1 - 2 * 0.05, 1 - 2 * 0.05])
    assert rewards.deeper[0] == pytest.approx([-2 * 0.75 * 0.05] * 2 + [1 - 2 * 0.75 * 0.05 - 2 * 0.05])
    assert rewards.stop[0] == pytest.approx([-STOP_PENALTY] * 3)


def test_right_is_what_full_depth_says_or_what_came():
    traces = traces_of([[5, 2, 3, 3]], [5])
    free = Costs((4, 6, 8), 10)
    assert energy_rewards(traces, free, 0.0, "agreement").leave[0].tolist() == [0, 0, 1]
    assert energy_rewards(traces, free, 0.0, "truth").leave[0].tolist() == [1, 0, 0]
    assert energy_rewards(traces, free, 0.0, "truth").deeper[0, -1] == 0
    assert energy_rewards(traces, free, 0.0, "both").leave[0].tolist() == [0.5, 0, 0.5]
    assert energy_rewards(traces, free, 0.0, "both").deeper[0, -1] == 0.5
    assert energy_rewards(traces, free, 0.0).stop[0].tolist() == [1, 1, 1]


def test_the_papers_reward_counts_layers_from_the_first_right_exit():
    # Exits at layers 3, 5, 7 counted from 0, full depth 9; penalties are shares of 7.
    right_at_second = paper_rewards(traces_of([[1, 2, 2, 2]], [2]), paper_variant("paper", (4, 6, 8)))
    assert right_at_second.leave[0] == pytest.approx([-2 / 7, 1, -2 / 7])
    assert right_at_second.deeper[0] == pytest.approx([1, -2 / 7, -4 / 7])
    assert right_at_second.stop is None

    lost_again = paper_rewards(traces_of([[2, 1, 2, 2]], [2]), paper_variant("paper", (4, 6, 8)))
    assert lost_again.leave[0] == pytest.approx([1, -1 / 7, -4 / 7])

    only_full = paper_rewards(traces_of([[1, 1, 1, 2]], [2]), paper_variant("paper", (4, 6, 8)))
    assert only_full.leave[0] == pytest.approx([-6 / 7, -4 / 7, -2 / 7])
    assert only_full.deeper[0] == pytest.approx([1, 1, 1])


def test_the_papers_variants_differ_in_what_is_right_and_in_what_good_decisions_earn():
    traces = traces_of([[1, 2, 2, 2]], [1])
    aligned = paper_rewards(traces, paper_variant("paper-alignment", (4, 6, 8)))
    assert aligned.leave[0] == pytest.approx([-2 / 7, 1 / 7, -2 / 7])
    scaled = paper_rewards(traces, paper_variant("paper-scaled", (4, 6, 8)))
    assert scaled.leave[0] == pytest.approx([-2 / 7, 0.5, -0.75 * 2 / 7])
    assert paper_rewards(traces, paper_variant("paper", (4, 6, 8))).leave[0, 0] == 1


def test_the_paper_leaves_out_tokens_that_nothing_gets_right():
    traces = traces_of([[1, 1, 1, 1], [1, 1, 1, 2], [3, 1, 1, 1]], [2, 2, 3])
    assert without_hopeless(traces).true.tolist() == [2, 3]


def test_leaving_is_harmless_where_full_depth_says_the_same_or_is_no_better():
    traces = traces_of([[5, 2, 3, 3], [1, 2, 7, 7], [1, 2, 7, 7]], [5, 7, 8])
    assert harmless(traces, "agreement").tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 1]]
    assert harmless(traces, "truth").tolist() == [[1, 1, 1], [0, 0, 1], [1, 1, 1]]
    assert harmless(traces, "both").tolist() == [[0.5, 0.5, 1], [0, 0, 1], [0.5, 0.5, 1]]
