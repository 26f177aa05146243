"""The rewards of GREEN-CODE (arXiv 2501.11006), as its authors' code has them: layers from the first right one.

With `l` the layer a token stands at and `best` the first layer that is right (full depth where no exit is):

    exit at best             + positive
    exit, right but late     - late * (l - best)
    exit, too early          - (best - l)
    exit, late and wrong     - wrong
    continue before best     + positive
    continue from best on    - (next(l) - best)

Penalties are divided by the last exit's layer, so that they lie in [-1, 0]. There is no energy in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from greencode_lsp.training.policy.rewards import Rewards, right_exits
from greencode_lsp.training.policy.trace_set import TraceSet


@dataclass(frozen=True)
class PaperReward:
    """One of the three variants that were published.

    `right`: "truth" or "agreement". `skip_hopeless`: leave out tokens that no exit gets right. `positive`: what a good
    decision earns, or None for the exit's position from 0 to 1.
    """

    right: str
    skip_hopeless: bool
    positive: float | None
    late: float = 1.0
    wrong: float = 1.0


def paper_variant(name: str, exits: tuple[int, ...]) -> PaperReward:
    """Return a variant by name.

    "paper" judges by the token that came (`env_rand`; the one that fits the published reward curve), "paper-alignment"
    by what full depth says (`env_rand_alignment`, which scales the positives down, too), "paper-scaled" as that, with
    positives by position (`env_rew_scaled`).
    """
    return {
        "paper": PaperReward("truth", skip_hopeless=True, positive=1.0),
        "paper-alignment": PaperReward("agreement", skip_hopeless=False, positive=1.0 / last_layer(exits), wrong=0.1),
        "paper-scaled": PaperReward("agreement", skip_hopeless=False, positive=None, late=0.75),
    }[name]


def last_layer(exits: tuple[int, ...]) -> float:
    """Return what penalties are divided by: the last exit's layer, counted from 0."""
    return float(max(exits[-1] - 1, 1))


def without_hopeless(traces: TraceSet) -> TraceSet:
    """Leave out tokens that nothing gets right."""
    return traces.select(np.asarray(traces.right.any(axis=1)))


def paper_rewards(traces: TraceSet, variant: PaperReward) -> Rewards:
    """Return the rewards of a variant; layers are counted from 0, as the authors do, which only the scale shows."""
    good = right_exits(traces, variant.right)
    layers = np.array([*traces.exits, traces.layers]) - 1
    first = np.where(good.any(axis=1), good.argmax(axis=1), len(traces.exits))
    best = layers[first][:, None]
    here, following = layers[:-1], layers[1:]
    scale = last_layer(traces.exits)
    position = np.linspace(0.0, 1.0, len(here)) if variant.positive is None else np.full(len(here), variant.positive)

    at_best = np.arange(len(here)) == first[:, None]
    missed = np.where(here < best, best - here, variant.wrong) / scale
    late = variant.late * (here - best) / scale
    leave = np.where(at_best, position, np.where(good[:, :-1], -late, -missed))
    deeper = np.where(here < best, position, -(following - best) / scale)
    return Rewards(leave, deeper, None)
