"""Teacher forcing: the true text runs once, and every policy is asked at each of its tokens.

With exact K/V the states behind an exit do not depend on where earlier tokens were read, so one run serves all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from greencode_lsp.engine import EarlyExitModel
from greencode_lsp.evaluation.runs.prefill import Prefill
from greencode_lsp.evaluation.runs.records import Forced
from greencode_lsp.policy import Policy, Reading, Verdict, judge


@dataclass(frozen=True)
class ForcedStates:
    """The states behind each exit, and full depth, from which each token of a target would be read.

    Shapes: hidden, one tensor [tokens, hidden] for each segment. `words` are those of the prompt that exits read.
    """

    model: EarlyExitModel
    target: tuple[int, ...]
    hidden: tuple[Tensor, ...]
    words: tuple[int, ...] = ()

    @cached_property
    def predicted(self) -> list[list[int]]:
        """The most likely token at [segment][token]."""
        return [tokens.tolist() for tokens, _ in self._likeliest]

    @cached_property
    def confidence(self) -> Tensor:
        """The probability of the most likely token, [segments, tokens]."""
        return torch.stack([probabilities for _, probabilities in self._likeliest])

    @cached_property
    def _likeliest(self) -> list[tuple[Tensor, Tensor]]:
        with torch.inference_mode():
            return [self.model.likeliest(index, hidden, self.words) for index, hidden in enumerate(self.hidden)]

    def judge(self, policy: Policy) -> Forced:
        """Ask a policy at each token, in order; a token it gives up on is not right, at the depth it gave up at."""
        right = depth = 0
        for token in range(len(self.target)):
            segment, verdict = self._decide(policy, token)
            depth += self.model.depth(segment)
            right += verdict is not Verdict.STOP and self.predicted[segment][token] == self.target[token]
        return Forced(right, len(self.target), depth)

    def _decide(self, policy: Policy, token: int) -> tuple[int, Verdict]:
        for segment in range(self.model.last):
            reading = Reading(segment, self.model.depth(segment), self.hidden[segment][token])
            verdict = judge(policy, reading, partial(self._probability, segment, token))
            if verdict is not Verdict.CONTINUE:
                return segment, verdict
        return self.model.last, Verdict.EXIT

    def _probability(self, segment: int, token: int) -> float:
        return float(self.confidence[segment, token])


@torch.inference_mode()
def force(prefill: Prefill, target: Sequence[int]) -> ForcedStates:
    """Run a target behind its prompt, to full depth."""
    session = prefill.session
    session.rewind(len(prefill.prompt) - 1)
    session.feed([prefill.prompt[-1], *target[:-1]])
    # Clones: a runner may keep its outputs in memory that its next run writes to.
    hidden = tuple(session.run(index).clone() for index in range(len(session.model.segments)))
    return ForcedStates(session.model, tuple(target), hidden, session.model.words_of(prefill.prompt))
