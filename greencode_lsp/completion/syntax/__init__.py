"""Strings, comments, brackets and tags of a text, by language: enough to tell whether a change keeps them balanced."""

from greencode_lsp.completion.syntax.balance import Balance
from greencode_lsp.completion.syntax.languages import language_of, syntax_of
from greencode_lsp.completion.syntax.scanner import Scan, scan
from greencode_lsp.completion.syntax.tables import StringForm, Syntax

__all__ = ["Balance", "Scan", "StringForm", "Syntax", "language_of", "scan", "syntax_of"]
