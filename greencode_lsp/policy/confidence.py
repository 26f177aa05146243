"""Exit when the softmax is sure (CALM, arXiv 2207.07061, section 3.5): a control, for it reads at every exit."""

from greencode_lsp.policy.base import Reading, Verdict


class Confidence:
    """Exit when the most likely token has at least this probability."""

    def __init__(self, threshold: float) -> None:
        if not 0.0 <= threshold <= 1.0:
            raise ValueError(f"a confidence threshold lies between 0 and 1, not at {threshold}")
        self.threshold = threshold

    def decide(self, reading: Reading) -> Verdict:
        """Have the token read, and compare."""
        if reading.probability is None:
            return Verdict.READ
        return Verdict.EXIT if reading.probability >= self.threshold else Verdict.CONTINUE
