"""Line completion: from untouched source, and from CodeXGLUE's tokenised rows turned back into source."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

from greencode_lsp.evaluation.codexglue.lines import as_source, line_tokens, without_marks
from greencode_lsp.evaluation.codexglue.literals import Literals
from greencode_lsp.evaluation.codexglue.python_tokens import END_OF_LINE
from greencode_lsp.evaluation.suites.example import Ending, Example, RowError
from greencode_lsp.evaluation.suites.prompting import Prompter
from greencode_lsp.evaluation.suites.reading import text_of

LINE_TOKENS = 48
"""New tokens at most, as in the language server."""

SHORTEST_LINE = 3
"""Tokens that a line needs so that one may be shown and two asked for."""


def raw_line(number: int, values: dict[str, Any], language: str, literals: Literals, prompter: Prompter) -> Example:
    """Return the example of a row with `prompt`, `target_line`, `starts_line` and `repo`; raise `RowError`."""
    text, target = text_of(values, "prompt"), text_of(values, "target_line")
    prompt, was_cut = prompter.prompt(text, LINE_TOKENS)
    if not target.strip():
        raise RowError("the target is empty")
    return Example(
        id=f"row-{number}",
        row=number,
        cluster=text_of(values, "repo"),
        language=language,
        prompt=prompt,
        target=prompter.continuation(target),
        before=text,
        reference=target,
        ending=Ending.NEXT_LINE if values.get("starts_line") else Ending.LINE,
        max_tokens=LINE_TOKENS,
        was_cut=was_cut,
        gold=" ".join(line_tokens(target, language, literals)),
    )


def tokenised_line(number: int, values: dict[str, Any], language: str, prompter: Prompter) -> Example:
    """Return the example of a row with `input` and `gt`; raise `RowError`, also for a target that nobody can know."""
    row = as_source(text_of(values, "input"), text_of(values, "gt"), language)
    if row.is_masked:
        raise RowError("the target has a masked literal")
    as_raw = {"prompt": row.prompt, "target_line": row.target, "starts_line": row.starts_line, "repo": f"row {number}"}
    example = raw_line(number, as_raw, language, Literals(), prompter)
    return replace(example, gold=row.gold, statements=language == "java")


def cut_file(number: int, tokens: list[str], language: str) -> dict[str, str]:
    """Cut a whole file of tokens into `input` and `gt`, as CodeXGLUE does: in a line, two tokens or more left.

    A line is Python's, or in Java what ends with `;`, `{` or `}`. The row's number is the seed. Raises `RowError`.
    """
    ends = (END_OF_LINE,) if language == "python" else (";", "{", "}")
    bounds = [0, *(index + 1 for index, token in enumerate(tokens) if token in ends)]
    lines = [(low, high) for low, high in itertools.pairwise(bounds) if high - low > SHORTEST_LINE and low]
    if not lines:
        raise RowError("the file has no line to cut")
    draw = random.Random(number)
    low, high = draw.choice(lines)
    last = high - 1 if language == "python" else high
    cut = draw.randrange(low, last - 1)
    return {"input": " ".join(tokens[:cut]), "gt": " ".join(tokens[cut:last])}


def whole_file(values: dict[str, Any]) -> list[str]:
    """Return the tokens of a row that is a file (`code`), or the beginning of one (`input` and `gt`)."""
    if isinstance(code := values.get("code"), list):
        return without_marks(" ".join(map(str, code)))
    return without_marks(text_of(values, "input") + " " + text_of(values, "gt"))
