"""Which metrics a form has, and which of them cannot be had here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from greencode_lsp.errors import installing
from greencode_lsp.evaluation.metrics.code_bleu import code_bleu_metrics
from greencode_lsp.evaluation.metrics.figures import figures, joules_per_accepted, passed_metric
from greencode_lsp.evaluation.metrics.lines import codexglue_metrics, line_metrics, window_metrics
from greencode_lsp.evaluation.metrics.metric import Metric
from greencode_lsp.evaluation.metrics.rouge import rouge_metrics
from greencode_lsp.evaluation.metrics.sacre import sacre_metrics

WINDOW_FORMS = ("windows", "paper")
CODEXGLUE_FORMS = ("raw", "tokenised")
INFILLING_FORMS = ("prefix", "suffix")


def choose_metrics(form: str, language: str) -> tuple[list[Metric], list[str]]:
    """Return the metrics of a form, and a line for each group whose library is missing."""
    found: list[Metric] = []
    missing: list[str] = []
    for name, make in _groups(form, language):
        try:
            found += make()
        except ImportError as error:
            missing.append(f"{name} is left out ({error}); {installing('eval')}")
    return found, missing


def _groups(form: str, language: str) -> list[tuple[str, Callable[[], Sequence[Metric]]]]:
    is_window = form in WINDOW_FORMS
    groups: list[tuple[str, Callable[[], Sequence[Metric]]]] = [
        ("exact match and edit similarity", window_metrics if is_window else line_metrics)
    ]
    if form in INFILLING_FORMS:
        groups.append(("pass@1", lambda: [passed_metric()]))
    if form in CODEXGLUE_FORMS:
        groups.append(("CodeXGLUE's scores", codexglue_metrics))
    groups += [("ROUGE-L", rouge_metrics), ("BLEU and chrF", sacre_metrics)]
    if is_window:
        groups.append(("CodeBLEU", partial(code_bleu_metrics, language)))
    groups.append(("energy and depth", figures))
    if not is_window:
        groups.append(("joules per accepted line", lambda: [joules_per_accepted()]))
    return groups
