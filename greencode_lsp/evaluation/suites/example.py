"""What a model is given, and what it is scored against."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_CONTENT = re.compile(r"\S")
_STATEMENT_END = re.compile(r"[;{}]")
_LINE_BREAK = re.compile(r"\r\n|\n|\r")


class Ending(Enum):
    """Where a generated text ends."""

    LINE = "the end of the line"
    NEXT_LINE = "the end of the next line that has content"
    TOKENS = "after a number of tokens"

    def end(self, text: str) -> int | None:
        """Return the offset at which a text ends, None while it has not."""
        if self is Ending.TOKENS:
            return None
        content = _CONTENT.search(text) if self is Ending.NEXT_LINE else None
        if self is Ending.NEXT_LINE and content is None:
            return None
        match = _LINE_BREAK.search(text, content.start() if content else 0)
        return match.start() if match else None


@dataclass(frozen=True)
class Check:
    """How to run a completed program: what stands around the generated line, and the tests behind it."""

    prefix: str
    suffix: str
    test: str
    entry_point: str

    def program(self, line: str) -> str:
        """Return the program with this line in it, and its tests."""
        return f"{self.prefix}{line}\n{self.suffix}\n{self.test}\ncheck({self.entry_point})\n"


@dataclass(frozen=True)
class Example:
    """One prompt and its continuation.

    `row` is the number of the row in its file, from 1; examples of one `cluster` (a repository, a problem) depend on
    each other. `prompt` and `target` are token ids, `before` is the text before the cursor and `reference` the text
    that came. `gold` is the reference in the data set's tokens, where the data set scores those; with `statements` a
    text ends as the data set cuts Java. `was_cut` says that the prompt was longer than there is room for.
    """

    id: str
    row: int
    cluster: str
    language: str
    prompt: tuple[int, ...]
    target: tuple[int, ...]
    before: str
    reference: str
    ending: Ending
    max_tokens: int
    was_cut: bool = False
    gold: str | None = None
    statements: bool = False
    check: Check | None = None

    def end(self, text: str) -> int | None:
        """Return the offset at which a generated text ends, None while it has not."""
        ends = [self.ending.end(text)]
        if self.statements and (match := _STATEMENT_END.search(text)):
            ends.append(match.start() + (match.group() != "{"))
        return min((end for end in ends if end is not None), default=None)


@dataclass(frozen=True)
class Skipped:
    """A row that is left out, and why."""

    row: int
    cause: str


class RowError(Exception):
    """A row that cannot be used; its message is the cause."""
