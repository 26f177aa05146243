"""How sure each exit must be beside the others, so that one threshold for all is a good one.

A supervised gate says how likely it is that leaving loses nothing, and knows nothing of cost: what an exit spares, what
the exits behind it would still spare, and which layers run only because one token in ten goes there. So the exits'
scores are moved against each other until, at some threshold, tokens are worth most: a token that loses nothing, less
the price of the joules that ran, as the engine runs them. The search goes coordinate by coordinate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from greencode_lsp.policy.learned import PolicyFile
from greencode_lsp.training.policy.costs import Costs, file_costs
from greencode_lsp.training.policy.export import threshold_grid
from greencode_lsp.training.policy.outcomes import reading_costs
from greencode_lsp.training.policy.scoring import Scores, decide, score
from greencode_lsp.training.policy.trace_set import Floats, TraceSet

STEPS = (2.0, 1.0, 0.5, 0.25)
"""How far a level is moved up or down at once, in logits."""

SWEEPS = 6


def levelled(policy: PolicyFile, traces: TraceSet, harmless: Floats, costs: Costs, price: float) -> PolicyFile:
    """Return the policy with levels that suit these traces in its last biases: a score of 0 is then worth most.

    `harmless` [R, E] is 1 where leaving loses nothing, 0 where it does; `price` is what a token's joules at full depth
    are worth, in tokens.
    """
    scores = score(policy, traces)
    levels = best_levels(scores, traces, harmless, costs, price)
    bias = policy.tensors["out.bias"].copy()  # [E, 2]: for leaving and for giving up
    bias[:, 0] -= levels[0].astype(bias.dtype)
    moved = {"out.bias": bias}
    if policy.confirms:
        moved["confirm.out.bias"] = policy.tensors["confirm.out.bias"] - levels[1].astype(bias.dtype)[:, None]
    grid = threshold_grid(scores.lowered(levels).both)
    return replace(policy, tensors={**policy.tensors, **moved}, grid=grid)


def best_levels(scores: Scores, traces: TraceSet, harmless: Floats, costs: Costs, price: float) -> Floats:
    """Return thresholds for scores under which tokens are worth most, from the best common one on.

    Shapes: [1, E], or [2, E] with those for tokens that have been read.
    """
    loses_nothing = np.pad(harmless, ((0, 0), (0, 1)), constant_values=1.0)

    def worth(levels: Floats) -> float:
        choice = decide(scores.lowered(levels), 0.0)
        kept = loses_nothing[np.arange(len(traces)), choice.exits].mean()
        spent = file_costs(costs, choice.exits, reading_costs(choice, costs, False), traces.file_starts).sum()
        return float(kept - price * spent / (len(traces) * costs.full))

    scores = replace(scores, stop=None)
    shape = (1 if scores.confirm is None else 2, scores.exit.shape[1])
    levels = max((np.full(shape, float(threshold)) for threshold in threshold_grid(scores.both)), key=worth)
    most = worth(levels)
    for _ in range(SWEEPS):
        before = most
        for index in np.ndindex(shape):
            for step in (sign * step for step in STEPS for sign in (1.0, -1.0)):
                moved = levels.copy()
                moved[index] += step
                if (value := worth(moved)) > most:
                    levels, most = moved, value
        if most == before:
            break
    return levels
