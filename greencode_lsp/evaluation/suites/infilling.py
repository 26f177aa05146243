"""HumanEval single-line infilling (arXiv 2207.14255, openai/human-eval-infilling): a function lacks one line."""

from __future__ import annotations

from typing import Any

from greencode_lsp.completion.infill import InfillTemplate
from greencode_lsp.evaluation.suites.example import Check, Ending, Example, RowError
from greencode_lsp.evaluation.suites.lines import LINE_TOKENS
from greencode_lsp.evaluation.suites.prompting import Prompter
from greencode_lsp.evaluation.suites.reading import text_of


def infilling_line(number: int, values: dict[str, Any], template: InfillTemplate | None, prompter: Prompter) -> Example:
    """Return the example of a row; without a template the model sees only what stands before. Raises `RowError`."""
    text, suffix, solution = (text_of(values, field) for field in ("prompt", "suffix", "canonical_solution"))
    reference = solution.rstrip("\n")
    if not reference.strip():
        raise RowError("the target is empty")
    if template is None:
        prompt, was_cut = prompter.prompt(text, LINE_TOKENS)
    else:
        prompt, was_cut = prompter.infill(template, text, suffix, LINE_TOKENS)
    return Example(
        id=f"row-{number}",
        row=number,
        cluster=problem(text_of(values, "task_id")),
        language="python",
        prompt=prompt,
        target=prompter.continuation(reference),
        before=text,
        reference=reference,
        ending=Ending.NEXT_LINE,
        max_tokens=LINE_TOKENS,
        was_cut=was_cut,
        check=Check(text, suffix, text_of(values, "test"), text_of(values, "entry_point")),
    )


def problem(task: str) -> str:
    """Return the problem of a task: `SingleLineInfilling/HumanEval/0/L0` is of HumanEval/0."""
    parts = task.split("/")
    return "/".join(parts[1:3]) if len(parts) >= 4 else task
