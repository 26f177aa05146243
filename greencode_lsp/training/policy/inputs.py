"""From a recorded hidden state to what a network is trained on, and back into weights that read the raw state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.policy.learned import SMALLEST_SQUARE
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.trace_set import Integers, TraceSet

SAMPLE_ROWS = 50_000

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Inputs:
    """How states are scaled: `kind` "rms" divides by their root mean square first, "raw" does not.

    mean, deviation [E, H]: what each exit's scaled states are standardised by.
    """

    kind: str
    mean: Singles
    deviation: Singles

    def of(self, hidden: NDArray[Any], exits: Integers | slice | int) -> Singles:
        """Return network inputs of states [..., H] behind the exits with these indices."""
        return (scaled(hidden, self.kind) - self.mean[exits]) / self.deviation[exits]

    def fold(self, weight: Singles, bias: Singles) -> tuple[Singles, Singles]:
        """Turn first layers [E, width, H], [E, width] for these inputs into ones for states that are only scaled."""
        folded = weight / self.deviation[:, None, :]
        return folded, bias - np.einsum("ewh,eh->ew", folded, self.mean)


def scaled(hidden: NDArray[Any], kind: str) -> Singles:
    """Return states [..., H] in float32, divided by their root mean square where the kind asks for it."""
    states = hidden.astype(np.float32)
    if kind == "rms":
        states /= np.sqrt(np.mean(np.square(states), axis=-1, keepdims=True) + SMALLEST_SQUARE)
    return states


def fit_inputs(traces: TraceSet, kind: str, seed: int) -> Inputs:
    """Measure mean and deviation of each number behind each exit; raise `TrainingError` where a state is not finite."""
    rows = np.random.default_rng(seed).permutation(len(traces))[:SAMPLE_ROWS]
    states = scaled(traces.hidden[np.sort(rows)], kind)
    if not np.isfinite(states).all():
        raise TrainingError("these traces hold hidden states that are NaN or infinite; record them again")
    return Inputs(kind, states.mean(axis=0), np.maximum(states.std(axis=0), 1e-4))


def as_recorded(traces: TraceSet) -> Inputs:
    """Leave states as they are, as the paper does."""
    shape = traces.hidden.shape[1:]
    return Inputs("raw", np.zeros(shape, np.float32), np.ones(shape, np.float32))
