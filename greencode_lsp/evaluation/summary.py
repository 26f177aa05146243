"""From results to figures: each metric of each configuration with its interval, and its difference from full depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.evaluation.metrics.bootstrap import Bootstrap, Estimate
from greencode_lsp.evaluation.metrics.choice import choose_metrics
from greencode_lsp.evaluation.metrics.metric import Metric
from greencode_lsp.evaluation.runs.journal import Journal
from greencode_lsp.evaluation.runs.records import Case

FULL = "full"


@dataclass(frozen=True)
class Row:
    """One configuration: its figures by metric, and how far each is from full depth's, paired."""

    name: str
    kind: str
    detail: str
    cases: list[Case]
    figures: dict[str, Estimate]
    differences: dict[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """A run's figures. All configurations are compared on the examples that every one of them has answered.

    `incomplete` are those that not all have answered, those of shards that are not here among them.
    """

    suite: str
    form: str
    language: str
    model: str
    header: dict[str, Any]
    metrics: dict[str, Metric]
    rows: list[Row]
    bootstrap: Bootstrap
    examples: int
    incomplete: int
    failures: dict[str, int]
    missing: list[str]

    def row(self, name: str) -> Row | None:
        """Return a configuration's row."""
        return next((row for row in self.rows if row.name == name), None)

    def as_json(self) -> dict[str, Any]:
        """Return the summary as `--json` gives it; unknown is null."""
        return {
            "suite": self.suite,
            "form": self.form,
            "examples": self.examples,
            "clusters": self.bootstrap.clusters,
            "incomplete": self.incomplete,
            "skipped": self.header.get("skipped", {}),
            "failures": self.failures,
            "left_out": [*self.header.get("left_out", []), *self.missing],
            "rows": [_row_json(row) for row in self.rows],
            "machine": self.header.get("machine"),
            "settings": self.header.get("settings"),
        }


def summarise(journal: Journal) -> Summary:
    """Compute all figures of a run; raise `EvaluationError` when no example is complete."""
    settings = journal.settings
    never = _never_answered(journal)
    configurations: dict[str, dict[str, str]] = {
        name: about for name, about in settings["configurations"].items() if name not in never
    }
    complete = [
        example
        for example in journal.examples.values()
        if all((example.id, name) in journal.results for name in configurations)
    ]
    if FULL in never:
        raise EvaluationError(f"nothing to compare with: {never[FULL]}")
    if not complete:
        raise EvaluationError("no example has an answer of every configuration yet; let the evaluation run on")
    complete.sort(key=lambda example: (example.row, example.id))
    metrics, missing = choose_metrics(settings["form"], settings["language"])
    bootstrap = Bootstrap([example.cluster for example in complete])
    rows = []
    for name, about in configurations.items():
        cases = [
            Case(example, journal.results[example.id, name], journal.results.get((example.id, FULL)))
            for example in complete
        ]
        figures = {metric.name: bootstrap.estimate(metric, cases) for metric in metrics}
        rows.append(Row(name, about["kind"], about["detail"], cases, figures))
    failures: dict[str, int] = {}
    for failure in journal.failures.values():
        failures[failure.configuration] = failures.get(failure.configuration, 0) + 1
    return Summary(
        suite=settings["suite"],
        form=settings["form"],
        language=settings["language"],
        model=settings["model"],
        header=journal.header,
        metrics={metric.name: metric for metric in metrics},
        rows=_with_differences(rows, bootstrap),
        bootstrap=bootstrap,
        examples=len(complete),
        incomplete=journal.header.get("planned", len(journal.examples)) - len(complete),
        failures=failures,
        missing=[*never.values(), *missing],
    )


def _never_answered(journal: Journal) -> dict[str, str]:
    """Return the configurations that failed on some examples and answered none, each with a line that says why."""
    answered = {name for _, name in journal.results}
    lines: dict[str, str] = {}
    for failure in journal.failures.values():
        if failure.configuration not in answered:
            lines.setdefault(failure.configuration, f"{failure.configuration}: it failed throughout ({failure.cause})")
    return lines


def _with_differences(rows: Sequence[Row], bootstrap: Bootstrap) -> list[Row]:
    full = next((row for row in rows if row.name == FULL), None)
    if full is None:
        return list(rows)
    return [
        Row(
            row.name,
            row.kind,
            row.detail,
            row.cases,
            row.figures,
            {name: bootstrap.difference(figure, full.figures[name]) for name, figure in row.figures.items()},
        )
        for row in rows
    ]


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "profile": row.name,
        "kind": row.kind,
        "detail": row.detail,
        **{name: figure.value for name, figure in row.figures.items()},
        "ci95": {name: _interval(figure) for name, figure in row.figures.items()},
        "minus_full": {
            name: {"value": difference.value, "ci95": _interval(difference)}
            for name, difference in row.differences.items()
        },
    }


def _interval(estimate: Estimate) -> list[float] | None:
    return None if estimate.low is None or estimate.high is None else [estimate.low, estimate.high]
