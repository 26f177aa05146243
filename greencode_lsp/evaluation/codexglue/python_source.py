"""Python source that reads naturally, from the data set's tokens. Indentation and comments are lost; see `Indenter`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from greencode_lsp.evaluation.codexglue.indentation import Indenter
from greencode_lsp.evaluation.codexglue.literals import BARE, PROMPT_FILL, restore
from greencode_lsp.evaluation.codexglue.python_spacing import CLOSERS, OPENERS, python_line
from greencode_lsp.evaluation.codexglue.python_tokens import END_OF_LINE

INDENT = "    "

_STRING = re.compile(r"[bruBRU]*(\"\"\"|'''|\"|')")


@dataclass
class _Line:
    """A physical line: its tokens, the level of its logical line, and whether it goes on an earlier one."""

    tokens: list[str]
    level: int = 0
    goes_on: bool = False


def python_source(tokens: Sequence[str], fill: Mapping[str, str] = PROMPT_FILL) -> str:
    """Return the text of a file's beginning. It ends where the tokens end, which may be within a line."""
    lines = physical_lines(tokens)
    _indent(lines)
    open_line = bool(tokens) and tokens[-1] != END_OF_LINE
    brackets: list[str] = []
    text: list[str] = []
    for index, line in enumerate(lines):
        is_last = index == len(lines) - 1
        if not (is_last and open_line) and _is_masked_docstring(lines, index):
            continue
        if line.goes_on:
            leading = next((at for at, token in enumerate(line.tokens) if token not in CLOSERS), len(line.tokens))
            depth = line.level + max(len(brackets) - leading, 0)
        else:
            brackets.clear()
            depth = line.level
        text.extend(_blank_lines(line, text))
        body = python_line([restore(token, fill) for token in line.tokens], brackets)
        text.append(INDENT * depth + "".join(body))
    return "\n".join(text) + ("" if open_line or not text else "\n")


def python_rest(before: Sequence[str], rest: Sequence[str], fill: Mapping[str, str]) -> str:
    """Return the text of tokens that go on the line which the tokens before them leave open."""
    *whole, tail = [*_split(before)]
    brackets: list[str] = []
    for line in whole:
        _count(line, brackets)
    spaced = python_line(
        [*(restore(token, PROMPT_FILL) for token in tail), *(restore(t, fill) for t in rest)], brackets
    )
    return "".join(spaced[len(tail) :])


def physical_lines(tokens: Sequence[str]) -> list[_Line]:
    """Return the lines that have tokens."""
    return [_Line(line) for line in _split(tokens) if line]


def _split(tokens: Sequence[str]) -> list[list[str]]:
    lines: list[list[str]] = [[]]
    for token in tokens:
        if token == END_OF_LINE:
            lines.append([])
        else:
            lines[-1].append(token)
    return lines


def _count(line: Sequence[str], brackets: list[str]) -> None:
    for token in line:
        if token in OPENERS:
            brackets.append(token)
        elif token in CLOSERS and brackets:
            brackets.pop()


def _indent(lines: Sequence[_Line]) -> None:
    """Give every line the level of its logical line."""
    logical: list[list[_Line]] = []
    brackets: list[str] = []
    for line in lines:
        line.goes_on = bool(brackets)
        if line.goes_on:
            logical[-1].append(line)
        else:
            logical.append([line])
        _count(line.tokens, brackets)
    bodies = [[token for line in each for token in line.tokens] for each in logical]
    indenter = Indenter()
    for index, each in enumerate(logical):
        decorated = next((body for body in bodies[index + 1 : index + 6] if body[0] != "@"), [])
        level = indenter.level(bodies[index], decorated)
        for line in each:
            line.level = level


def _is_masked_docstring(lines: Sequence[_Line], index: int) -> bool:
    """Say whether a line is nothing but a masked string, and not the only line of its block."""
    line = lines[index]
    alone = not line.goes_on and len(line.tokens) == 1 and _STRING.match(line.tokens[0]) and BARE.search(line.tokens[0])
    return bool(alone) and index + 1 < len(lines) and lines[index + 1].level >= line.level


def _blank_lines(line: _Line, text: Sequence[str]) -> list[str]:
    """Return the blank lines before a definition."""
    defines = line.tokens[0] in ("def", "class", "@") or "__name__" in line.tokens[:2]
    if line.goes_on or not text or not defines or text[-1].lstrip().startswith("@") or text[-1].endswith(":"):
        return []
    return [""] * (2 if line.level == 0 else 1)
