"""Which examples the report shows: by rule, so that nobody has picked the ones that look good."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from greencode_lsp.evaluation.runs.records import Case
from greencode_lsp.evaluation.summary import Row, Summary

SHOWN = 5
SHORTEST = 3
"""Tokens: where fewer are asked for there is little to see."""


def subject(summary: Summary) -> Row | None:
    """Return the configuration to look at: the exits of balanced, else of eco, else the deepest fixed exit."""
    fixed = [row for row in summary.rows if row.name.startswith("fixed-")]
    candidates = [summary.row("exits-balanced"), summary.row("exits-eco"), *reversed(fixed)]
    return next((row for row in candidates if row is not None), None)


def best_cases(row: Row) -> list[Case]:
    """Return right texts, those read at the smallest mean depth first, one of each cluster."""
    right = [case for case in row.cases if is_right(case) and len(case.result.tokens) >= SHORTEST]
    return _one_of_each_cluster(sorted(right, key=lambda case: (mean_depth(case), case.example.id)))


def worst_cases(row: Row) -> list[Case]:
    """Return texts that lost most likeness to what came, compared with full depth's, one of each cluster."""
    lost = [(loss(case), case) for case in row.cases if case.full is not None]
    ordered = sorted((each for each in lost if each[0] > 0), key=lambda each: (-each[0], each[1].example.id))
    return _one_of_each_cluster(case for _, case in ordered)


def is_right(case: Case) -> bool:
    """Say whether a text is what came."""
    return case.result.text.strip() == case.example.reference.strip()


def mean_depth(case: Case) -> float:
    """Return the mean depth of a text's tokens."""
    return sum(depth for _, depth in case.result.tokens) / max(len(case.result.tokens), 1)


def loss(case: Case) -> float:
    """Return by how much less a text is like what came than full depth's text is, 0 to 1."""
    assert case.full is not None
    return likeness(case.full.text, case.example.reference) - likeness(case.result.text, case.example.reference)


def likeness(text: str, reference: str) -> float:
    """Return how alike two lines are, 0 to 1."""
    return SequenceMatcher(None, text.strip(), reference.strip(), autojunk=False).ratio()


def _one_of_each_cluster(cases: Iterable[Case]) -> list[Case]:
    found: dict[str, Case] = {}
    for case in cases:
        found.setdefault(case.example.cluster, case)
        if len(found) == SHOWN:
            break
    return list(found.values())
