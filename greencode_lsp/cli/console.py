"""Where commands print: results to stdout, everything about the work to stderr."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from greencode_lsp.completion.suggestion import Report

PIPED_WIDTH = 200
"""Columns where neither a terminal nor COLUMNS says how many there are: a table in a file or a pipe is whole."""

results = Console(soft_wrap=True, highlight=False)
if not results.is_terminal and "COLUMNS" not in os.environ:
    results.width = PIPED_WIDTH
errors = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print one JSON document for programs."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def warn(line: str) -> None:
    """Print what does not stop the work."""
    errors.print(f"greencode: {line}", style="yellow", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar() -> Iterator[Report]:
    """Show stages of work as bars on a terminal, and as one plain line a stage otherwise."""
    if not errors.is_terminal:
        yield plain_lines()
        return
    columns = (TextColumn("{task.description:>16}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, TimeElapsedColumn(), console=errors, transient=True) as progress:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage)
            progress.update(tasks[stage], completed=done, total=total or None)

        yield report


def plain_lines() -> Report:
    """Return a report that prints a line when a new stage begins."""
    stages: set[str] = set()

    def report(stage: str, done: int, total: int) -> None:
        if stage not in stages:
            stages.add(stage)
            errors.print(f"greencode: {stage} ...")

    return report
