"""What a policy earns: for each row and exit, the reward of reading the token, of going deeper, of giving up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from greencode_lsp.training.policy.costs import Costs
from greencode_lsp.training.policy.trace_set import Booleans, Floats, TraceSet

AGREEMENT_SHARE = {"agreement": 1.0, "truth": 0.0, "both": 0.5}

RIGHT = tuple(AGREEMENT_SHARE)

STOP_PENALTY = 9.0
"""What giving up costs where full depth would have been right: it pays only above 90 % certainty that it is not."""


@dataclass(frozen=True)
class Rewards:
    """All [R, E]: behind the last exit, going deeper includes what full depth earns. No `stop`: no such action."""

    leave: Floats
    deeper: Floats
    stop: Floats | None


def energy_rewards(traces: TraceSet, costs: Costs, price: float, right: str = "agreement") -> Rewards:
    """Return 1 for a right token minus what was spent on it; `price` is that of a full-depth token's energy.

    Right is what full depth says ("agreement") or what really came ("truth"), or half each ("both"). Agreement is a
    function of the model's state rather than of chance, and it leaves tokens that nobody can foresee as plausible as
    full depth would make them, while the truth, which is what bounds are about, pays for leaving those at once, anyhow.

    A segment's price is what leaving early spares: rows that wait are caught up for `row_cost` of it later. Giving up
    earns 1 where full depth is wrong, and costs `STOP_PENALTY` where it is not.
    """
    scale = price / costs.full
    spent = costs.segments[1:] * (1 - costs.row_cost) * scale
    reading = costs.reading * scale
    good = right_exits(traces, right)
    leave = good[:, :-1] - reading[:-1]
    deeper = np.broadcast_to(-spent, leave.shape).copy()
    deeper[:, -1] += good[:, -1] - reading[-1]
    stop = np.where(traces.right[:, -1:], -STOP_PENALTY, 1.0)
    return Rewards(leave, deeper, np.broadcast_to(stop, leave.shape).copy())


def right_exits(traces: TraceSet, right: str) -> Floats:
    """Return how right each exit and full depth are, [R, E + 1]: 0, 1, or between where only one of both says so."""
    agrees = np.pad(traces.agrees, ((0, 0), (0, 1)), constant_values=True)
    return weighed(right, agrees, traces.right)


def weighed(right: str, by_agreement: Booleans, by_truth: Booleans) -> Floats:
    """Return what is right by one of `RIGHT`, given what is by agreement and by the truth."""
    share = AGREEMENT_SHARE[right]
    return np.asarray(share * by_agreement + (1 - share) * by_truth)
