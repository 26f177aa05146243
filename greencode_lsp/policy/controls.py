"""Policies that learn nothing: what every learned policy is compared with."""

import random

from greencode_lsp.policy.base import Reading, Verdict


class NeverExit:
    """Every token at full depth."""

    def decide(self, reading: Reading) -> Verdict:
        """Continue, always."""
        return Verdict.CONTINUE


class FixedExit:
    """Every token at the same depth."""

    def __init__(self, layer: int) -> None:
        self.layer = layer

    def decide(self, reading: Reading) -> Verdict:
        """Exit at the layer, or behind it where the model has no exit just there."""
        return Verdict.EXIT if reading.exit_layer >= self.layer else Verdict.CONTINUE


class RandomExit:
    """Exit with equal probability at every exit, from a seed."""

    def __init__(self, probability: float, seed: int = 0) -> None:
        self.probability = probability
        self._random = random.Random(seed)

    def decide(self, reading: Reading) -> Verdict:
        """Throw the dice."""
        return Verdict.EXIT if self._random.random() < self.probability else Verdict.CONTINUE
