"""Controls at the mean depth of a profile: as many layers, spent without its policy.

Depths are matched along the true texts of a few examples; labels play no part in it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import torch

from greencode_lsp.evaluation.runs.forcing import ForcedStates
from greencode_lsp.policy import Confidence, Policy, RandomExit

MATCHED_EXAMPLES = 16
HALVINGS = 30


def mean_depth(states: Sequence[ForcedStates], make_policy: Callable[[], Policy]) -> float:
    """Return the mean depth at which a policy leaves along true texts."""
    judged = [each.judge(make_policy()) for each in states]
    return sum(each.depth for each in judged) / sum(each.tokens for each in judged)


def random_probability(depths: Sequence[int], wanted: float) -> float:
    """Return the probability of leaving at each exit that gives a mean depth; `depths` ends with full depth."""
    return _halve(lambda probability: -expected_depth(depths, probability), -wanted, 0.0, 1.0)


def expected_depth(depths: Sequence[int], probability: float) -> float:
    """Return the mean depth of leaving at each exit with one probability."""
    depth, going = 0.0, 1.0
    for exit_depth in depths[:-1]:
        depth += going * probability * exit_depth
        going *= 1 - probability
    return depth + going * depths[-1]


def confidence_threshold(states: Sequence[ForcedStates], wanted: float) -> float:
    """Return the probability that the most likely token must have at an exit to leave there at a mean depth."""
    model = states[0].model
    depths = torch.tensor([model.depth(index) for index in range(len(model.segments))])
    sure = torch.cat([each.confidence for each in states], dim=1)  # [segments, tokens]

    def depth_at(threshold: float) -> float:
        leaves = sure >= threshold
        leaves[-1] = True
        return float(depths[leaves.int().argmax(dim=0)].float().mean())

    return _halve(depth_at, wanted, 0.0, 1.0)


def random_policy(probability: float) -> Callable[[str], Policy]:
    """Return a maker of policies that leave by lot, the example's id being the seed."""
    return lambda example: RandomExit(probability, zlib.crc32(example.encode()))


def confidence_policy(threshold: float) -> Callable[[str], Policy]:
    """Return a maker of policies that leave where the head is sure."""
    return lambda _: Confidence(threshold)


def _halve(rising: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Return where a function that rises reaches a value; the nearer end where it does not."""
    if rising(low) >= wanted:
        return low
    if rising(high) <= wanted:
        return high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if rising(middle) < wanted:
            low = middle
        else:
            high = middle
    return high
