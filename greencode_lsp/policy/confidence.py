"""Exit when the softmax is sure (CALM, arXiv 2207.07061, section 3.5): a control, for it pays for the head."""

from greencode_lsp.policy.base import Reading, Verdict


class Confidence:
    """Exit when the most likely token has at least this probability."""

    def __init__(self, threshold: float) -> None:
        if not 0.0 <= threshold <= 1.0:
            raise ValueError(f"a confidence threshold lies between 0 and 1, not at {threshold}")
        self.threshold = threshold

    def decide(self, reading: Reading) -> Verdict:
        """Run the head and compare."""
        probability = reading.logits().float().softmax(dim=-1).max().item()
        return Verdict.EXIT if probability >= self.threshold else Verdict.CONTINUE
