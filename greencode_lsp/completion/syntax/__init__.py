"""Strings, comments, brackets and tags of a text, by language: enough to tell whether a change keeps them balanced."""

from greencode_lsp.completion.syntax.balance import Balance
from greencode_lsp.completion.syntax.grammar import Grammar, grammar_at
from greencode_lsp.completion.syntax.languages import known_id, language_of, syntax_of
from greencode_lsp.completion.syntax.scanner import Scan, scan
from greencode_lsp.completion.syntax.tables import StringForm, Syntax

__all__ = [
    "Balance",
    "Grammar",
    "Scan",
    "StringForm",
    "Syntax",
    "grammar_at",
    "known_id",
    "language_of",
    "scan",
    "syntax_of",
]
