"""Syntax errors of a document, as tree-sitter's grammars find them: what no table of brackets can tell."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

log = logging.getLogger(__name__)

GRAMMARS = {
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "css": ("tree_sitter_css", "language"),
    "go": ("tree_sitter_go", "language"),
    "html": ("tree_sitter_html", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "javascriptreact": ("tree_sitter_javascript", "language"),
    "json": ("tree_sitter_json", "language"),
    "python": ("tree_sitter_python", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "typescriptreact": ("tree_sitter_typescript", "language_tsx"),
    "yaml": ("tree_sitter_yaml", "language"),
}
"""LSP language ids, each with the module of its grammar and the function there that gives it."""

LONGEST_PARSED = 512 * 1024
"""Characters: in a longer document nothing is said about errors."""


class ParsedText:
    """A text and its syntax tree. What stays the same from one text to the next is not parsed again."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser
        self._text = b""
        self._tree = parser.parse(b"")

    def errors(self, text: bytes) -> int:
        """Take another text; return how many places of it are errors, or lack something."""
        begin, end = difference(self._text, text)
        old, new = self._text[: len(self._text) - end], text[: len(text) - end]
        self._tree.edit(
            start_byte=begin,
            old_end_byte=len(old),
            new_end_byte=len(new),
            start_point=point_behind(text[:begin]),
            old_end_point=point_behind(old),
            new_end_point=point_behind(new),
        )
        self._text, self._tree = text, self._parser.parse(text, self._tree)
        return error_count(self._tree.root_node)


class Grammar:
    """The errors of one document as it stands, and of the same document with a text written at the cursor."""

    def __init__(self, parsed: ParsedText, prefix: str, suffix: str) -> None:
        self._parsed = parsed
        self._prefix, self._suffix = encoded(prefix), encoded(suffix)
        self._before = parsed.errors(self._prefix + self._suffix)

    def is_kept(self, text: str, replaced: str = "") -> bool:
        """Say whether writing `text` over `replaced`, which stands behind the cursor, adds no syntax error."""
        return (
            self._parsed.errors(self._prefix + encoded(text) + self._suffix[len(encoded(replaced)) :]) <= self._before
        )


@lru_cache(maxsize=4)  # a tree takes 25 bytes for each of its text
def parsed_text(language: str, path: str) -> ParsedText | None:
    """Return the last text of a file and its tree, None where its language has no grammar here."""
    parser = parser_of(language)
    return None if parser is None else ParsedText(parser)


def grammar_at(language: str, path: str, prefix: str, suffix: str) -> Grammar | None:
    """Return the grammar at a cursor, None where the language has none here or the document is too long."""
    parsed = None if len(prefix) + len(suffix) > LONGEST_PARSED else parsed_text(language, path)
    return None if parsed is None else Grammar(parsed, prefix, suffix)


@cache
def parser_of(language: str) -> Any | None:
    """Return the parser of a language by its LSP id, None where there is none; what keeps one away is logged once."""
    if language not in GRAMMARS:
        return None
    module, function = GRAMMARS[language]
    try:
        tree_sitter = import_module("tree_sitter")
        return tree_sitter.Parser(tree_sitter.Language(getattr(import_module(module), function)()))
    except Exception as error:  # a library of another version, or built for another machine
        log.warning("suggestions in %s are not parsed: %s: %s", language, module, error)
        return None


def error_count(root: Any) -> int:
    """Return how many places of a tree are errors, or lack something."""
    count, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        wrong = [child for child in node.children if child.has_error or child.is_error or child.is_missing]
        # Some grammars give an error another name: it is the innermost node that has one.
        count += node.is_error or node.is_missing or (node.has_error and not wrong)
        waiting.extend(wrong)
    return count


def point_behind(text: bytes) -> tuple[int, int]:
    """Return row and column, in bytes, behind a text."""
    return text.count(b"\n"), len(text) - (text.rfind(b"\n") + 1)


def encoded(text: str) -> bytes:
    """Return a text in UTF-8; half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace")


def difference(old: bytes, new: bytes) -> tuple[int, int]:
    """Return how many bytes two texts have in common at their beginning, and then at their end."""
    shorter = min(len(old), len(new))
    begin = common(lambda length: old[:length] == new[:length], shorter)
    end = common(lambda length: old[len(old) - length :] == new[len(new) - length :], shorter - begin)
    return begin, end


def common(agrees: Callable[[int], bool], longest: int) -> int:
    """Return the greatest length up to `longest` that agrees; all shorter ones do, too."""
    low, high = 0, longest
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if agrees(middle) else (low, middle - 1)
    return low
