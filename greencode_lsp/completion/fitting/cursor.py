"""A cursor in a document, with what suggestions have to fit."""

from __future__ import annotations

from functools import cached_property

from greencode_lsp.completion.fitting.indentation import IndentStyle
from greencode_lsp.completion.syntax import Balance, Grammar, Syntax, grammar_at, known_id, syntax_of

NEAR_LINES = 40
"""How many lines above and below the cursor are looked at for what a suggestion may repeat."""

NEAR_CHARACTERS = 6000


class Cursor:
    r"""The text before and behind a cursor, with `\\n` as its line end, and the language there.

    That is told by its LSP id, and by the file's name where the client does not know it.
    """

    def __init__(self, prefix: str, suffix: str, language: str = "", path: str = "") -> None:
        self.prefix, self.suffix = prefix, suffix
        self.syntax: Syntax = syntax_of(language, path)
        self._language, self._path = known_id(language, path), path
        *above, self.line_prefix = prefix[-NEAR_CHARACTERS:].split("\n")
        self.above = above[-NEAR_LINES:]
        line_suffix, *below = suffix[:NEAR_CHARACTERS].split("\n")
        self.line_suffix = line_suffix.rstrip()
        self.below = below[:NEAR_LINES]

    @cached_property
    def balance(self) -> Balance:
        """What is open at the cursor."""
        return Balance(self.syntax, self.prefix, self.suffix)

    @cached_property
    def grammar(self) -> Grammar | None:
        """What a parser says of the document, None without one for its language."""
        return grammar_at(self._language, self._path, self.prefix, self.suffix)

    @cached_property
    def indent_style(self) -> IndentStyle:
        """How the document indents."""
        return IndentStyle.of(self.prefix, self.suffix)

    @property
    def in_code(self) -> bool:
        """Whether what is written here is code: neither string nor comment."""
        return self.balance.in_code(self.balance.opened)

    @property
    def line_above(self) -> str:
        """The last line above the cursor's that is not blank, empty where there is none."""
        return next((line for line in reversed(self.above) if line.strip()), "")
