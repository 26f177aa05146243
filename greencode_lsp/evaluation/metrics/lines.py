"""Scores of one line: equality and likeness to the line that came, and whether a person would take it."""

from __future__ import annotations

from greencode_lsp.evaluation.codexglue import evaluator
from greencode_lsp.evaluation.metrics.metric import Metric, percent
from greencode_lsp.evaluation.runs.records import Case

SHORTEST_PREFIX = 5
"""Characters of a right beginning that are worth taking."""


def line_metrics() -> list[Metric]:
    """Return the scores of stripped text; raise `ImportError` where rapidfuzz is missing."""
    from rapidfuzz import fuzz

    def similarity(case: Case) -> float:
        return fuzz.ratio(case.result.text.strip(), case.example.reference.strip()) / 100

    return [
        percent("exact_match", lambda case: case.result.text.strip() == case.example.reference.strip()),
        percent("edit_similarity", similarity),
        percent("first_line_acceptance", accepted),
    ]


def window_metrics() -> list[Metric]:
    """Return the scores of a window of tokens, of which every character counts; raise `ImportError` as above."""
    from rapidfuzz import fuzz

    return [
        percent("exact_match", lambda case: case.result.text == case.example.reference),
        percent("edit_similarity", lambda case: fuzz.ratio(case.result.text, case.example.reference) / 100),
    ]


def codexglue_metrics() -> list[Metric]:
    """Return the data set's own scores, on its tokens; raise `ImportError` where rapidfuzz is missing."""
    import rapidfuzz  # noqa: F401 - asked for here, so that its absence is reported with all others

    return [
        percent("codexglue_exact_match", lambda case: _scored(case, similar=False)),
        percent("codexglue_edit_similarity", lambda case: _scored(case, similar=True)),
    ]


def accepted(case: Case) -> float:
    """Return 1 where what would be shown is the line that came, or a beginning of it of five characters or more."""
    shown, reference = case.result.shown.strip(), case.example.reference.strip()
    return float(shown == reference or (len(shown) >= SHORTEST_PREFIX and reference.startswith(shown)))


def _scored(case: Case, similar: bool) -> float | None:
    text, gold = case.result.gold_text, case.example.gold
    if text is None or gold is None:
        return None
    return evaluator.edit_similarity(text, gold) / 100 if similar else float(evaluator.exact_match(text, gold))
