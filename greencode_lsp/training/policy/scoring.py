"""A policy's scores of whole trace sets, in one go, and what it decides at a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from greencode_lsp.policy.learned import PolicyFile
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.inputs import scaled
from greencode_lsp.training.policy.trace_set import Booleans, Floats, Integers, TraceSet

CHUNK_ROWS = 4096


def check_traces(policy: PolicyFile, name: object, traces: TraceSet) -> None:
    """Raise `TrainingError` unless a policy, which errors call by `name`, is for a model like that of the traces."""
    wanted, given = (policy.exits, policy.hidden_size), (traces.exits, traces.hidden.shape[2])
    if wanted != given:
        raise TrainingError(
            f"{name} is for exits {list(wanted[0])} and states of {wanted[1]} numbers, the traces have "
            f"{list(given[0])} and {given[1]}; record them with the bundle that the policy is for"
        )


def score(policy: PolicyFile, traces: TraceSet) -> tuple[Floats, Floats]:
    """Return the scores for exiting and for giving up of every row behind every exit: [R, E] each."""
    tensors = policy.tensors
    scores = np.empty((2, len(traces), len(traces.exits)))
    for start in range(0, len(traces), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        for index in range(len(traces.exits)):
            states = scaled(traces.hidden[rows, index], policy.inputs)
            first = np.tanh(states @ tensors["in.weight"][index].T + tensors["in.bias"][index])
            second = np.tanh(first @ tensors["mid.weight"][index].T + tensors["mid.bias"][index])
            out = second @ tensors["out.weight"][index].T + tensors["out.bias"][index]
            scores[0, rows, index], scores[1, rows, index] = out[:, 0], out[:, 1]
    return scores[0], scores[1]


@dataclass(frozen=True)
class Choice:
    """Where each row leaves: `exits` [R] is an exit's index (E is full depth), `stopped` [R] where it gives up there.

    `asked` [R] counts how often the policy was asked.
    """

    exits: Integers
    stopped: Booleans
    asked: Integers


def decide(
    exit_scores: Floats, stop_scores: Floats | None, threshold: float, stop_threshold: float = float("inf")
) -> Choice:
    """Return what a policy with these scores [R, E] decides, row by row, as `LearnedPolicy` would."""
    rows, exits = exit_scores.shape
    leaves = exit_scores >= threshold
    stops = np.zeros_like(leaves) if stop_scores is None else stop_scores >= stop_threshold
    ends = leaves | stops
    chosen = np.where(ends.any(axis=1), ends.argmax(axis=1), exits)
    stopped = np.pad(stops, ((0, 0), (0, 1)))[np.arange(rows), chosen]
    return Choice(chosen, stopped, np.minimum(chosen + 1, exits))
