"""Levels of exits against each other are found where the best ones are known."""

from dataclasses import replace

import numpy as np
import pytest

from greencode_lsp.policy.learned import PolicyFile
from greencode_lsp.training.policy.costs import Costs
from greencode_lsp.training.policy.levels import best_levels, levelled
from greencode_lsp.training.policy.scoring import Scores, decide, score
from tests.training.policy.toy import COSTS, EXITS, HIDDEN, LAYERS, toy_traces

PRICE = 0.8

FREE_WAITING = Costs(EXITS, LAYERS, head=2.0, row_cost=0.0)  # what a token costs then depends on no other token


def gambles(seed: int, rows: int = 40_000):
    """Return odds [R, E] of a policy that knows them exactly, whether leaving loses nothing, and traces around them."""
    random = np.random.default_rng(seed)
    chances = random.beta(4, 1, (rows, len(EXITS)))
    return (
        np.log(chances / (1 - chances)),
        (random.random(chances.shape) < chances).astype(float),
        toy_traces(rows, seed=seed),
    )


def best_thresholds(seed: int = 5) -> np.ndarray:
    """Return the best thresholds by backward induction: leave where that is worth more than what comes."""
    chances = np.random.default_rng(seed).beta(4, 1, (200_000, len(EXITS)))
    costs = PRICE * (np.array([*EXITS, LAYERS]) + FREE_WAITING.head) / FREE_WAITING.full
    comes, thresholds = 1 - costs[-1], np.zeros(len(EXITS))
    for index in reversed(range(len(EXITS))):
        thresholds[index] = comes + costs[index]
        comes = np.maximum(chances[:, index] - costs[index], comes).mean()
    return np.log(thresholds / (1 - thresholds))


def test_levels_are_those_of_backward_induction() -> None:
    odds, harmless, traces = gambles(0)
    (levels,) = best_levels(Scores(odds), traces, harmless, FREE_WAITING, PRICE)
    assert np.ptp(best_thresholds()) > 0.5, "a common threshold must not be the best"
    assert np.abs(levels - best_thresholds()).max() < 0.3


@pytest.mark.parametrize("confirms", [False, True])
def test_a_policy_with_levels_is_as_sure_where_it_may_be_and_sure_enough_elsewhere(confirms: bool) -> None:
    """Moving scores and moving thresholds is the same, and what tells when to give up stays."""
    traces = toy_traces(rows=2000)
    random = np.random.default_rng(1)
    shapes = {"in.weight": (3, 8, HIDDEN), "mid.weight": (3, 8, 8), "out.weight": (3, 2, 8)}
    if confirms:
        shapes |= {"confirm.mid.weight": (3, 8, 9), "confirm.out.weight": (3, 1, 9)}
    tensors = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    tensors |= {name.replace("weight", "bias"): np.zeros(shape[:2], np.float32) for name, shape in shapes.items()}
    policy = PolicyFile(EXITS, HIDDEN, "by hand", "rms", 0.5, np.zeros(1, np.float32), tensors)
    moved = levelled(policy, traces, traces.agrees.astype(float), COSTS, PRICE)
    before, after = score(policy, traces), score(moved, traces)
    levels = best_levels(before, traces, traces.agrees.astype(float), COSTS, PRICE)
    np.testing.assert_allclose(after.exit, before.exit - levels[0], atol=1e-5)
    assert before.stop is not None and after.stop is not None
    np.testing.assert_allclose(after.stop, before.stop)
    if before.confirm is not None and after.confirm is not None:
        np.testing.assert_allclose(after.confirm, before.confirm - levels[1], atol=1e-5)
    assert np.ptp(levels) > 0 and len(levels) == 1 + confirms
    same = decide(after, 0.0, moved.stop_threshold)
    assert np.array_equal(same.exits, decide(before.lowered(levels), 0.0, policy.stop_threshold).exits)
    assert replace(moved, tensors=tensors, grid=policy.grid) == policy
