"""Which suites and forms there are, and loading one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greencode_lsp.completion.infill import InfillTemplate
from greencode_lsp.evaluation.codexglue.literals import Literals, masked
from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.evaluation.suites.example import Example, RowError, Skipped
from greencode_lsp.evaluation.suites.infilling import infilling_line
from greencode_lsp.evaluation.suites.lines import cut_file, raw_line, tokenised_line, whole_file
from greencode_lsp.evaluation.suites.prompting import Prompter
from greencode_lsp.evaluation.suites.reading import HubSet, Row, file_digest, find_file, read_hub, read_rows, text_of
from greencode_lsp.evaluation.suites.windows import joined, windows

TOKEN_SETS = "google/code_x_glue_cc_code_completion_token"

SEED = 0
"""Of the order in which rows are taken, so that a limit takes rows from everywhere."""


@dataclass(frozen=True)
class Suite:
    """A data set. `forms` maps what its rows can be run as to the file with those rows; the first is the main one."""

    name: str
    language: str
    forms: dict[str, str]
    hub: HubSet
    cap: int
    literals: str | None = None


def line_suite(name: str, language: str, cap: int) -> Suite:
    """Return a suite of CodeXGLUE."""
    forms = {"raw": f"{name}_raw", "tokenised": f"{name}_line", "windows": f"{name}_raw", "paper": f"{name}_line"}
    return Suite(name, language, forms, HubSet(TOKEN_SETS, language, "test"), cap, f"{name}_literals.json")


INFILLING = Suite(
    "infilling",
    "python",
    dict.fromkeys(("prefix", "suffix"), "humaneval_single_line_infilling"),
    HubSet("loubnabnl/humaneval_infilling", "HumanEval-SingleLineInfilling", "test"),
    cap=2,
)

SUITES = {
    suite.name: suite for suite in (line_suite("py150", "python", 30), line_suite("javacorpus", "java", 40), INFILLING)
}

ON_HUB = ("tokenised", "paper", "prefix", "suffix")
"""Forms that the hub has rows for: untouched sources of these files are not published."""


LIMITS = {"tokenised": 400, "windows": 75, "paper": 75}
"""Rows by default of forms whose rows have no repository, or become four examples each."""


@dataclass(frozen=True)
class Selection:
    """Which rows to take: from a folder or the hub, so many of each cluster, so many in all; None is the default."""

    data: Path | None = None
    cap: int | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Examples:
    """A suite in one form, ready to run. `data` says where the rows came from, with a file's sha256."""

    suite: str
    form: str
    language: str
    examples: list[Example]
    skipped: list[Skipped]
    literals: Literals
    data: str
    cap: int
    limit: int | None

    def causes(self) -> dict[str, int]:
        """Count the rows that were left out, by cause."""
        return dict(Counter(skipped.cause for skipped in self.skipped))


def find_suite(name: str, form: str | None) -> tuple[Suite, str]:
    """Return a suite and its form, the main one where none is named; raise `EvaluationError`."""
    if name not in SUITES:
        raise EvaluationError(f"unknown suite {name!r}; there are: {', '.join(SUITES)}")
    suite = SUITES[name]
    chosen = form or next(iter(suite.forms))
    if chosen not in suite.forms:
        raise EvaluationError(f"{name} has no form {chosen!r}; it has: {', '.join(suite.forms)}")
    return suite, chosen


def load_examples(suite: Suite, form: str, selection: Selection, prompter: Prompter) -> Examples:
    """Read rows and make them into examples; rows that are not usable are reported in the result.

    Raises `EvaluationError` when no example is left, or a form cannot be had at all.
    """
    template = prompter.template if form == "suffix" else None
    if form == "suffix" and template is None:
        raise EvaluationError("this model was not trained to fill in: it has no tokens for it; run the form prefix")
    rows, data = _rows(suite, form, selection.data)
    literals = _literals(suite, selection.data)
    cap = suite.cap if selection.cap is None else selection.cap
    limit = LIMITS.get(form) if selection.limit is None else selection.limit
    found: list[Example] = []
    skipped: list[Skipped] = []
    taken: Counter[str] = Counter()
    used = 0
    for row in rows:
        if limit is not None and used >= limit:
            break
        try:
            examples = _examples(row, suite, form, literals, prompter, template)
        except RowError as error:
            skipped.append(Skipped(row.number, str(error)))
            continue
        if taken[examples[0].cluster] < cap:
            taken[examples[0].cluster] += 1
            used += 1
            found += examples
    if not found:
        why = f" ({skipped[0].cause} in row {skipped[0].row})" if skipped else ""
        raise EvaluationError(f"{data} has no row that can be used{why}")
    return Examples(suite.name, form, suite.language, found, skipped, literals, data, cap, limit)


def _rows(suite: Suite, form: str, folder: Path | None) -> tuple[Iterator[Row], str]:
    if folder is not None:
        path = find_file(folder, suite.forms[form])
        rows = list(read_rows(path))
        random.Random(SEED).shuffle(rows)
        return iter(rows), f"{path.name} sha256 {file_digest(path)}"
    if form not in ON_HUB:
        raise EvaluationError(f"the form {form!r} of {suite.name} is not on the hub; give a folder by --data")
    return read_hub(suite.hub), f"{suite.hub.repository} {suite.hub.configuration} {suite.hub.split}"


def _literals(suite: Suite, folder: Path | None) -> Literals:
    path = folder / suite.literals if folder is not None and suite.literals is not None else None
    return Literals.read(path) if path is not None and path.is_file() else Literals()


def _examples(
    row: Row, suite: Suite, form: str, literals: Literals, prompter: Prompter, template: InfillTemplate | None
) -> list[Example]:
    if row.values is None:
        raise RowError(row.cause)
    values: dict[str, Any] = row.values
    make: dict[str, Callable[[], list[Example]]] = {
        "raw": lambda: [raw_line(row.number, values, suite.language, literals, prompter)],
        "tokenised": lambda: [_tokenised(row.number, values, suite.language, literals, prompter)],
        "windows": lambda: windows(
            row.number,
            text_of(values, "prompt") + text_of(values, "target_line"),
            text_of(values, "repo"),
            suite.language,
            prompter,
        ),
        "paper": lambda: windows(row.number, joined(whole_file(values)), f"row {row.number}", suite.language, prompter),
    }
    if form in make:
        return make[form]()
    return [infilling_line(row.number, values, template, prompter)]


def _tokenised(number: int, values: dict[str, Any], language: str, literals: Literals, prompter: Prompter) -> Example:
    if "code" in values:
        values = cut_file(number, whole_file(values), language)
    if literals == Literals():  # a generated literal can only be masked then, and so must be the true one
        values = values | {"gt": masked(text_of(values, "gt"))}
    return tokenised_line(number, values, language, prompter)
