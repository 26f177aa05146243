"""Traces of a toy model whose best policy is known: each state says openly what its exit is worth."""

from dataclasses import replace

import numpy as np

from greencode_lsp.training.policy.costs import Costs
from greencode_lsp.training.policy.trace_set import TraceSet

EXITS, LAYERS, HIDDEN = (2, 4, 6), 8, 12
AGREES, HOPELESS = 3, 7
"""The numbers of a state that tell whether its exit agrees with full depth, and whether full depth is wrong."""

COSTS = Costs(EXITS, LAYERS, head=2.0, decision=0.05)


def toy_traces(rows: int = 6000, files: int = 30, packages: int = 10, seed: int = 0, hopeless: float = 0.2) -> TraceSet:
    """Make tokens that become right at the first, second, third exit or only at full depth, a quarter each.

    Of those of the last quarter and a share of all, full depth is wrong.
    """
    random = np.random.default_rng(seed)
    first_right = random.integers(0, 4, rows)
    agrees = np.arange(3) >= first_right[:, None]
    wrong = random.random(rows) < hopeless
    hidden = random.normal(size=(rows, 3, HIDDEN))
    hidden[:, :, AGREES] = np.where(agrees, 1.0, -1.0) + random.normal(size=(rows, 3)) * 0.2
    hidden[:, :, HOPELESS] = (np.where(wrong, 1.0, -1.0) + random.normal(size=rows) * 0.2)[:, None]
    predicted = np.concatenate([np.where(agrees, 5, 9), np.full((rows, 1), 5)], axis=1).astype(np.int32)
    file_of = np.arange(rows) * files // rows
    return TraceSet(
        exits=EXITS,
        layers=LAYERS,
        hidden=hidden.astype(np.float16),
        predicted=predicted,
        probability=np.where(predicted == 5, 0.9, 0.4).astype(np.float16),
        true=np.where(wrong, 7, 5).astype(np.int32),
        files=file_of,
        packages=file_of * packages // files,
    )


def uncertain_traces(rows: int, seed: int, *, tells: bool) -> TraceSet:
    """Make tokens whose exits agree with full depth by chance, as likely as the sum of their state says.

    Where it `tells`, each exit's own probability is that likelihood, else always one half.
    """
    traces = toy_traces(rows, seed=seed, hopeless=0.0)
    random = np.random.default_rng(seed)
    hidden = random.normal(size=traces.hidden.shape).astype(np.float16)
    likely = 1 / (1 + np.exp(-hidden.astype(float).sum(axis=2)))
    agrees = random.random(likely.shape) < likely
    predicted = np.concatenate([np.where(agrees, 5, 9), np.full((rows, 1), 5)], axis=1).astype(np.int32)
    probability = np.pad(likely if tells else np.full_like(likely, 0.5), ((0, 0), (0, 1)), constant_values=0.9)
    return replace(traces, hidden=hidden, predicted=predicted, probability=probability.astype(np.float16))
