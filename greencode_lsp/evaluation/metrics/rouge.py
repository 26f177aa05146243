"""ROUGE-L by rouge-score: with its own tokens, as the paper has it, and on tokens of code.

Its own tokens are lower-case words of letters and digits: `= { }` scores 0 against itself, `a_b` is `a b`.
"""

from __future__ import annotations

import re

from greencode_lsp.evaluation.metrics.metric import Metric, percent
from greencode_lsp.evaluation.runs.records import Case

_CODE_TOKEN = re.compile(r"\w+|[^\w\s]")


class CodeTokens:
    """A tokenizer as rouge-score wants one: words and single signs, as they are."""

    def tokenize(self, text: str) -> list[str]:
        """Cut a text."""
        return _CODE_TOKEN.findall(text)


def rouge_metrics() -> list[Metric]:
    """Return both; raise `ImportError` where rouge-score is missing."""
    from rouge_score.rouge_scorer import RougeScorer

    words, code = RougeScorer(["rougeL"]), RougeScorer(["rougeL"], tokenizer=CodeTokens())

    def measure(scorer: RougeScorer, case: Case) -> float:
        return float(scorer.score(case.example.reference, case.result.text)["rougeL"].fmeasure)

    return [
        percent("rouge_l", lambda case: measure(words, case)),
        percent("rouge_l_code", lambda case: measure(code, case)),
    ]
