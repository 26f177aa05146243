"""A line of source as the data set's tokens, and one row of the data set as source."""

from __future__ import annotations

from dataclasses import dataclass

from greencode_lsp.evaluation.codexglue.java_source import ends_line, java_rest, java_source
from greencode_lsp.evaluation.codexglue.java_tokens import java_tokens
from greencode_lsp.evaluation.codexglue.literals import BARE, EVALUATOR_FILL, Literals
from greencode_lsp.evaluation.codexglue.python_source import python_rest, python_source
from greencode_lsp.evaluation.codexglue.python_tokens import END_OF_LINE, python_line_tokens

TEXT_MARKS = ("<s>", "</s>")


@dataclass(frozen=True)
class SourceRow:
    """A row as source: what a model is shown, what it is asked for, and that as space-joined tokens.

    `starts_line` says that the target is a whole line, `is_masked` that it has a literal that nobody can know.
    """

    prompt: str
    target: str
    gold: str
    starts_line: bool
    is_masked: bool


def line_tokens(text: str, language: str, literals: Literals) -> list[str]:
    """Return the tokens of a line or a part of one, in Python or Java."""
    return (java_tokens if language == "java" else python_line_tokens)(text, literals)


def as_source(row_input: str, truth: str, language: str) -> SourceRow:
    """Return a row's input and ground truth as source, the target in Java up to the first `;`, `}` or before `{`."""
    before, rest = without_marks(row_input), without_marks(truth)
    if language == "java":
        rest = statement(rest)
        prompt, target = java_source(before), java_rest(before, rest, EVALUATOR_FILL)
        starts_line = ends_line(before)
    else:
        prompt, target = python_source(before), python_rest(before, rest, EVALUATOR_FILL)
        starts_line = not before or before[-1] == END_OF_LINE
    gold = " ".join(rest)
    return SourceRow(prompt, target, gold, starts_line, BARE.search(gold) is not None)


def without_marks(text: str) -> list[str]:
    """Return the tokens of a row without those that open and close a text."""
    return [token for token in text.split() if token not in TEXT_MARKS]


def statement(tokens: list[str]) -> list[str]:
    """Return Java tokens up to the first `;` or `}`, or before the first `{`: the data set's rule for its tests."""
    for index, token in enumerate(tokens):
        if token in (";", "}"):
            return tokens[: index + 1]
        if token == "{":
            return tokens[:index]
    return tokens
