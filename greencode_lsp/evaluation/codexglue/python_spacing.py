"""Where a Python line has spaces between its tokens, as most people write it (PEP 8)."""

import keyword
from collections.abc import Sequence

OPENERS, CLOSERS = frozenset("([{"), frozenset(")]}")

KEYWORDS = frozenset(keyword.kwlist) | {"print", "exec"}
"""Python 2's too: much of the data is of 2010 to 2016."""

VALUE_WORDS = frozenset({"None", "True", "False"})
CALLED_WORDS = VALUE_WORDS | {"print", "exec", "super"}

BEFORE_SIGN = frozenset(
    "( [ { , = : + - * / % == != < > <= >= << >> & | ^ += -= *= /= ** // -> ; <> ~ :=".split()  # noqa: SIM905
)
"""A sign behind one of these belongs to what follows it."""

SIGNS = frozenset({"+", "-", "~", "*", "**"})


def python_line(tokens: Sequence[str], brackets: list[str]) -> list[str]:
    """Return the tokens of one physical line, each with the space before it where there is one.

    `brackets` are those open before the line; they are brought up to date.
    """
    spaced: list[str] = []
    lambdas, sign = 0, False
    for index, token in enumerate(tokens):
        spaced.append(_space(tokens, index, brackets, lambdas > 0, sign) + token)
        sign = _is_sign(tokens, index)
        if token in OPENERS:
            brackets.append(token)
        elif token in CLOSERS and brackets:
            brackets.pop()
        if token == "lambda":
            lambdas += 1
        elif token == ":" and lambdas:
            lambdas -= 1
    return spaced


def _space(tokens: Sequence[str], index: int, brackets: Sequence[str], in_lambda: bool, after_sign: bool) -> str:
    if index == 0:
        return ""
    token, before = tokens[index], tokens[index - 1]
    inside = brackets[-1] if brackets else ""
    if _is_import_path(tokens, index):
        return " " if before in ("from", "import") or token == "import" else ""
    if before in OPENERS or token in CLOSERS or token in (",", ";", ":", ".") or before == "." or after_sign:
        return ""
    if token in ("(", "["):
        return "" if _is_called(before, token) else " "
    if before == ":":
        return "" if inside == "[" and not in_lambda else " "
    if before == "@" and index == 1:
        return ""
    if "=" in (token, before):
        return "" if inside == "(" else " "
    return " "


def _is_import_path(tokens: Sequence[str], index: int) -> bool:
    """Say whether a token touches the dots of `from ..package import name`."""
    dots = (".", "...")
    return (
        tokens[0] == "from" and (tokens[index] in dots or tokens[index - 1] in dots) and "import" not in tokens[:index]
    )


def _is_called(before: str, bracket: str) -> bool:
    if before in KEYWORDS - CALLED_WORDS or (before in ("print", "exec") and bracket == "["):
        return False
    return before in CLOSERS or before[-1].isalnum() or before[-1] in "_'\""


def _is_sign(tokens: Sequence[str], index: int) -> bool:
    if tokens[index] not in SIGNS:
        return False
    if index == 0:
        return True
    before = tokens[index - 1]
    if before == "import":  # from package import *
        return False
    return before in BEFORE_SIGN or before in KEYWORDS - VALUE_WORDS
