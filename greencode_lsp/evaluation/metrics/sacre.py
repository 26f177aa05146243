"""BLEU and chrF of all texts together, by sacrebleu with its defaults (chrF: six characters, no words, beta 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from greencode_lsp.evaluation.metrics.metric import Floats, Metric
from greencode_lsp.evaluation.runs.records import Case


class SacreMetric:
    """A metric of sacrebleu, through the same two steps as its own bootstrap (`sacrebleu.significance`)."""

    unit = "%"

    def __init__(self, name: str, metric: Any) -> None:
        self.name, self._metric = name, metric

    def statistics(self, case: Case) -> Sequence[float]:
        """Return sacrebleu's counts for one text."""
        (counts,) = self._metric._extract_corpus_statistics([case.result.text], [[case.example.reference]])
        return [float(count) for count in counts]

    def values(self, sums: Floats) -> Floats:
        """Return sacrebleu's scores of summed counts."""
        whole = np.rint(sums).astype(int).tolist()
        return np.array([self._metric._compute_score_from_stats(counts).score for counts in whole])


def sacre_metrics() -> list[Metric]:
    """Return both; raise `ImportError` where sacrebleu is missing."""
    from sacrebleu.metrics import BLEU, CHRF

    return [SacreMetric("bleu", BLEU()), SacreMetric("chrf", CHRF())]
