"""Keeping evaluation rows out of the corpus: by runs of tokens, and by the names of their projects.

A file is dropped when it holds the run of 25 lexical tokens that ends with a row's answer (unless there is no word in
it: tables of literals say nothing), or any run of 25 out of a row's last 200 tokens with at least 8 different words
(with fewer it is boilerplate). Of short programs (HumanEval) every run of 13 with at least 5 different words counts.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.training.corpus.evaluation_rows import EvaluationRow
from greencode_lsp.training.corpus.lexing import Values, grams, is_word, lex, values_of

FAMILIES = ("python", "c-like")


@dataclass(frozen=True)
class _Rule:
    width: int
    tail: int | None
    least_words: int
    least_words_of_answer: int


_LONG = _Rule(width=25, tail=200, least_words=8, least_words_of_answer=1)
_SHORT = _Rule(width=13, tail=None, least_words=5, least_words_of_answer=5)


class Decontaminator:
    """Finds files that overlap evaluation rows. Rows are read in every language, since they do not name theirs."""

    def __init__(self, rows: Sequence[EvaluationRow]) -> None:
        self.projects = {plain_name(row.project) for row in rows if row.project}
        self._grams = {(family, rule): _gram_set(rows, family, rule) for family in FAMILIES for rule in (_LONG, _SHORT)}

    def overlaps(self, values: Values, language: str) -> bool:
        """Say whether a file, as the values of its lexical stream, holds a run of some row."""
        family = "python" if language == "python" else "c-like"
        for rule in (_LONG, _SHORT):
            known = self._grams[family, rule]
            found = grams(values, rule.width)
            if len(known) and len(found):
                places = np.minimum(np.searchsorted(known, found), len(known) - 1)
                if bool((known[places] == found).any()):
                    return True
        return False

    def is_evaluated(self, name: str) -> bool:
        """Say whether a package's name is that of a project in the rows: whole projects are dropped."""
        bare = re.sub(r"^lib(.+)-java$", r"\1", name.rpartition("/")[2].lower())
        return plain_name(name) in self.projects or plain_name(bare) in self.projects


def plain_name(name: str) -> str:
    """Return a project's name as it is compared: small letters, dashes only."""
    return re.sub(r"[-_.]+", "-", name.lower())


def _gram_set(rows: Iterable[EvaluationRow], family: str, rule: _Rule) -> Values:
    """Return the sorted hashes of all runs of tokens that count."""
    kept = [np.empty(0, np.uint64)]
    for row in rows:
        if row.whole != (rule is _SHORT):
            continue
        tokens = lex(row.text, family)
        tokens = tokens[-rule.tail :] if rule.tail else tokens
        values = values_of(tokens)
        found = grams(values, rule.width)
        if len(found):
            words = _distinct_words(tokens, values, rule.width)
            counts = words >= rule.least_words
            counts[-1] = words[-1] >= rule.least_words_of_answer
            kept.append(found[counts])
    return np.unique(np.concatenate(kept))


def _distinct_words(tokens: list[str], values: Values, width: int) -> NDArray[np.int64]:
    """Return how many different words each run of `width` tokens has."""
    words = np.where([is_word(token) for token in tokens], values, np.uint64(0))
    runs = np.sort(np.lib.stride_tricks.sliding_window_view(words, width), axis=1)
    starts = np.concatenate([runs[:, :1] != 0, (runs[:, 1:] != runs[:, :-1]) & (runs[:, 1:] != 0)], axis=1)
    counts: NDArray[np.int64] = starts.sum(axis=1)
    return counts
