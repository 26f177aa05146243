"""What every learned policy is compared with at equal mean depth: choices that need no learning."""

from __future__ import annotations

import numpy as np

from greencode_lsp.training.policy.scoring import Choice, Scores, decide
from greencode_lsp.training.policy.trace_set import Booleans, Integers, TraceSet

HALVINGS = 50


def fixed_choice(traces: TraceSet, index: int) -> Choice:
    """Every token at one exit; index E is full depth."""
    return unasked(np.full(len(traces), index))


def oracle_choice(traces: TraceSet) -> Choice:
    """Every token at the first exit that says what full depth says: the best that exits allow."""
    return unasked(np.where(traces.agrees.any(axis=1), traces.agrees.argmax(axis=1), len(traces.exits)))


def confidence_choice(traces: TraceSet, threshold: float) -> Choice:
    """Leave at the first exit whose most likely token has at least this probability (CALM, section 3.5)."""
    choice = decide(Scores(traces.probability[:, :-1].astype(float)), threshold)
    return Choice(choice.exits, choice.stopped, np.zeros_like(choice.asked))


def random_choice(traces: TraceSet, exits: Integers, seed: int) -> Choice:
    """Leave as often at each exit as `exits` [R] does, but at tokens drawn by lot."""
    return unasked(np.random.default_rng(seed).permutation(exits))


def fixed_mixture(traces: TraceSet, depth: float, seed: int) -> Choice:
    """Every token at one of the two exits around a mean depth, drawn by lot so that the mean is met."""
    depths = np.array([*traces.exits, traces.layers])
    upper = int(np.clip(np.searchsorted(depths, depth), 1, len(depths) - 1))
    share = float(np.clip((depth - depths[upper - 1]) / (depths[upper] - depths[upper - 1]), 0.0, 1.0))
    draws = np.random.default_rng(seed).random(len(traces)) < share
    return unasked(np.where(draws, upper, upper - 1))


def threshold_at_depth(scores: Scores, traces: TraceSet, depth: float) -> float:
    """Return the threshold on scores at which the mean depth comes closest to `depth`."""
    depths = np.array([*traces.exits, traces.layers])
    low, high = float(scores.both.min()), float(scores.both.max()) + 1e-6
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if depths[decide(scores, middle).exits].mean() < depth:
            low = middle
        else:
            high = middle
    return high


def unasked(exits: Integers) -> Choice:
    """Return a choice that no policy was asked for."""
    never: Booleans = np.zeros(len(exits), bool)
    return Choice(exits, never, np.zeros(len(exits), np.int64))
