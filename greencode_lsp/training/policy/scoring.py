"""A policy's scores of whole trace sets, in one go, and what it decides at a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from greencode_lsp.policy.learned import PolicyFile, log_odds
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


@dataclass(frozen=True)
class Scores:
    """What decides about each row behind each exit, [R, E] each.

    `exit` decides before a token is read, `confirm` behind that, where a policy does; `stop` decides to give up.
    """

    exit: Floats
    stop: Floats | None = None
    confirm: Floats | None = None

    @property
    def both(self) -> Floats:
        """The score that a threshold must not exceed for a row to leave: [R, E]."""
        return self.exit if self.confirm is None else np.minimum(self.exit, self.confirm)

    def lowered(self, levels: Floats) -> Scores:
        """Return scores for exiting that are lower by so much, [1, E], or [2, E] where there are some to confirm."""
        return Scores(self.exit - levels[0], self.stop, None if self.confirm is None else self.confirm - levels[1])

    def first(self, rows: int) -> Scores:
        """Return the scores of the first rows."""
        stop, confirm = (None if part is None else part[:rows] for part in (self.stop, self.confirm))
        return Scores(self.exit[:rows], stop, confirm)


def score(policy: PolicyFile, traces: TraceSet) -> Scores:
    """Return the scores of every row behind every exit."""
    tensors = policy.tensors
    scores = np.empty((3, len(traces), len(traces.exits)))
    for start in range(0, len(traces), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        for index in range(len(traces.exits)):
            states = scaled(traces.hidden[rows, index], policy.inputs)
            first = np.tanh(states @ tensors["in.weight"][index].T + tensors["in.bias"][index])
            second = np.tanh(first @ tensors["mid.weight"][index].T + tensors["mid.bias"][index])
            out = second @ tensors["out.weight"][index].T + tensors["out.bias"][index]
            scores[0, rows, index], scores[1, rows, index] = out[:, 0], out[:, 1]
            if policy.confirms:
                sure = log_odds(traces.probability[rows, index])[:, None]
                known = np.concatenate([first, sure], axis=1)
                third = np.tanh(known @ tensors["confirm.mid.weight"][index].T + tensors["confirm.mid.bias"][index])
                out = np.concatenate([third, sure], axis=1) @ tensors["confirm.out.weight"][index].T
                scores[2, rows, index] = (out + tensors["confirm.out.bias"][index])[:, 0]
    return Scores(scores[0], scores[1], scores[2] if policy.confirms else None)


@dataclass(frozen=True)
class Choice:
    """Where each row leaves: `exits` [R] is an exit's index (E is full depth), `stopped` [R] where it gives up there.

    `asked` [R] counts how often the policy was asked, `in_vain` [R, E] says where it had a token read and went deeper.
    """

    exits: Integers
    stopped: Booleans
    asked: Integers
    in_vain: Booleans | None = None


def decide(scores: Scores, threshold: float, stop_threshold: float = float("inf")) -> Choice:
    """Return what a policy with these scores decides, row by row, as `LearnedPolicy` would."""
    rows, exits = scores.exit.shape
    likes = scores.exit >= threshold
    leaves = likes if scores.confirm is None else likes & (scores.confirm >= threshold)
    stops = np.zeros_like(leaves) if scores.stop is None else scores.stop >= stop_threshold
    ends = leaves | stops
    chosen = np.where(ends.any(axis=1), ends.argmax(axis=1), exits)
    stopped = np.pad(stops, ((0, 0), (0, 1)))[np.arange(rows), chosen]
    asked = np.minimum(chosen + 1, exits)
    if scores.confirm is None:
        return Choice(chosen, stopped, asked)
    in_vain = likes & (np.arange(exits) < chosen[:, None])
    left = (chosen < exits) & ~stopped
    return Choice(chosen, stopped, asked + in_vain.sum(axis=1) + left, in_vain)
