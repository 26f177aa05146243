"""CodeBLEU (Ren et al. 2020, arXiv 2009.10297) by the package codebleu, of all texts together, with its four parts.

Not for single lines: a line has no data flow and few 4-grams, and `x = 1` scores 76 against itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from greencode_lsp.evaluation.metrics.metric import Floats, Metric
from greencode_lsp.evaluation.runs.records import Case

ORDERS = (1, 2, 3, 4)
SMALLEST_COUNT = 0.1
"""What the package puts for a count of 0."""

PARTS = ("ngram", "weighted_ngram", "syntax", "dataflow")


@dataclass(frozen=True)
class CodeBleuPart:
    """CodeBLEU, or one of its parts, of texts in one language."""

    counter: Counter
    part: str | None = None
    unit: str = "%"

    @property
    def name(self) -> str:
        """What it is called."""
        return "codebleu" if self.part is None else f"codebleu_{self.part}"

    def statistics(self, case: Case) -> Sequence[float]:
        """Return the counts behind all four parts."""
        return self.counter.count(case.result.text.strip(), case.example.reference.strip())

    def values(self, sums: Floats) -> Floats:
        """Return the scores of summed counts."""
        return np.array([100 * self._value([float(count) for count in each]) for each in sums])

    def _value(self, sums: list[float]) -> float:
        length, ngram, weighted, syntax, dataflow = sums[0], sums[1:10], sums[10:19], sums[19:21], sums[21:23]
        parts = dict(
            zip(
                PARTS,
                (_geometric(ngram, length), _geometric(weighted, length), _share(*syntax), _share(*dataflow)),
                strict=True,
            )
        )
        if self.part is not None:
            return parts[self.part]
        # As in the package: where no data flow matches at all, that part counts as whole.
        return (parts["ngram"] + parts["weighted_ngram"] + parts["syntax"] + (parts["dataflow"] or 1.0)) / 4


class Counter:
    """Counts what CodeBLEU is made of, text by text, by the package's own functions."""

    def __init__(self, language: str) -> None:
        import codebleu
        from codebleu import bleu, dataflow_match, syntax_match, weighted_ngram_match
        from codebleu.utils import get_tree_sitter_language
        from tree_sitter import Parser

        self._language = language
        self._grammar = get_tree_sitter_language(language)
        self._parser = Parser()
        self._parser.language = self._grammar
        self._bleu, self._weighted, self._syntax, self._dataflow = (
            bleu,
            weighted_ngram_match,
            syntax_match,
            dataflow_match,
        )
        words = Path(codebleu.__file__).parent / "keywords" / f"{language}.txt"
        self._keywords = {line.strip() for line in words.read_text(encoding="utf-8").splitlines()}
        self.count = lru_cache(maxsize=100_000)(self._count)

    def _count(self, text: str, reference: str) -> tuple[float, ...]:
        words, true_words = text.split(), reference.split()
        weights = {word: 1 if word in self._keywords else 0.2 for word in true_words}
        weighted_words = [[true_words, weights]]
        ngram = [self._bleu.modified_precision([true_words], words, order) for order in ORDERS]
        weighted = [self._weighted.modified_recall(weighted_words, words, order) for order in ORDERS]
        trees, flows = self._trees(reference), self._flows(reference)
        return (
            float(len(words)),
            float(len(true_words)),
            *(float(count) for pair in ngram for count in pair),
            # As in the package, which takes the length of a pair, 2, for that of its reference here.
            float(self._weighted.closest_ref_length(weighted_words, len(words))),
            *(float(count) for pair in weighted for count in pair),
            self._syntax.corpus_syntax_match([[reference]], [text], self._language, self._grammar) * trees,
            float(trees),
            self._flow_match(reference, text) * flows if flows else 0.0,
            float(flows),
        )

    def _flow_match(self, reference: str, text: str) -> float:
        return float(self._dataflow.corpus_dataflow_match([[reference]], [text], self._language, self._grammar))

    def _trees(self, reference: str) -> int:
        """Count the subtrees of a reference: its root, and every node that has children."""
        waiting, count = [self._parser.parse(self._plain(reference).encode()).root_node], 0
        while waiting:
            count += 1
            waiting += [child for child in waiting.pop().children if child.children]
        return count

    def _flows(self, reference: str) -> int:
        parser = [self._parser, self._dataflow.dfg_function[self._language]]
        return len(self._dataflow.normalize_dataflow(self._dataflow.get_data_flow(self._plain(reference), parser)))

    def _plain(self, source: str) -> str:
        try:
            return str(self._syntax.remove_comments_and_docstrings(source, self._language))
        except Exception:  # as in the package: what it cannot strip stays as it is
            return source


def code_bleu_metrics(language: str) -> list[Metric]:
    """Return CodeBLEU and its parts; raise `ImportError` where it or the language's grammar is missing."""
    counter = Counter(language)
    return [CodeBleuPart(counter, part) for part in (None, *PARTS)]


def _share(matched: float, total: float) -> float:
    return matched / total if total else 0.0


def _geometric(counts: Sequence[float], length: float) -> float:
    """Return the smoothed geometric mean of precisions with BLEU's penalty for short texts.

    `counts` are the length of the references, then matched and all n-grams of each order.
    """
    true_length, matched, total = counts[0], counts[1::2], counts[2::2]
    if not matched[0]:
        return 0.0
    logs = [math.log((count or SMALLEST_COUNT) / of) for count, of in zip(matched, total, strict=True)]
    penalty = 1.0 if length > true_length else math.exp(1 - true_length / length)
    return penalty * math.exp(math.fsum(logs) / len(logs))
