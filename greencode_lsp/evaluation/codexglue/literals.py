"""Literals in the data set's tokens: the frequent ones are kept by name, all others are masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.reading import read_json

MARKER = re.compile(r"<(STR|NUM|CHAR)_LIT(?::(.*?))?>", re.S)
BARE = re.compile(r"<(?:STR|NUM|CHAR)_LIT>")

EVALUATOR_FILL = {"STR": "", "NUM": "0", "CHAR": ""}
"""What the data set's evaluator puts in place of a masked literal."""

PROMPT_FILL = {"STR": "...", "NUM": "0", "CHAR": "x"}
"""What a prompt shows in place of one: an empty string everywhere would be stranger to a model."""


@dataclass(frozen=True)
class Literals:
    """The literals that are kept, by kind; all others are masked."""

    strings: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    characters: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Literals:
        """Read a data set's `literals.json`; raise `EvaluationError` when it is damaged."""
        try:
            values = read_json(path)
            return cls(*(frozenset(map(str, values.get(kind, []))) for kind in ("str", "num", "char")))
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise EvaluationError(f"{path} is no list of literals: {error}") from error

    def mark(self, kind: str, body: str) -> str:
        """Return the marker of a literal's body; `kind` is STR, NUM or CHAR."""
        kept = {"STR": self.strings, "NUM": self.numbers, "CHAR": self.characters}[kind]
        return f"<{kind}_LIT:{body}>" if body in kept else f"<{kind}_LIT>"


def escape(body: str) -> str:
    """Write a string's body as the data set does: it must hold neither the separator nor a comma."""
    return body.replace(" ", "U+0020").replace(",", "U+002C")


def restore(token: str, fill: Mapping[str, str] = EVALUATOR_FILL) -> str:
    """Return a token as it would stand in source, masked literals filled."""

    def literal(match: re.Match[str]) -> str:
        kind, body = match.groups()
        return fill[kind] if body is None else body.replace("U+0020", " ").replace("U+002C", ",")

    return MARKER.sub(literal, token)


def masked(text: str) -> str:
    """Mask the kept literals too, for comparisons without the list of them."""
    return MARKER.sub(lambda match: f"<{match.group(1)}_LIT>", text)
