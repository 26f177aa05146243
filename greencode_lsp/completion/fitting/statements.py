"""Whole statements: where a model was stopped, a suggestion ends behind one.

Whether a text may stand where it does is for the grammar to say, where the language has one. Here is what makes a text
whole that lacks only its semicolon, and what is only a beginning in languages without a grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from greencode_lsp.completion.fitting.cursor import Cursor
from greencode_lsp.completion.lines import split_lines

ONLY_BEGUN = re.compile(
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|override|open|data|sealed|"
    r"const|declare|suspend)\s+)*"
    r"(?:(?:if|for|while|switch|match|catch)\b(?!.*\)[ \t]*\w).*|"
    r"(?:function|func|fun|def)\b(?!.*\)[^=]*=[ \t]*\w).*|"
    r"(?:else|try|finally|do|class|interface|struct|enum|trait|namespace|module|object|extension|protocol|record)\b.*|"
    r"(?:import|from|package|type|var|val|let|const|using|use|case|throw|extends|implements|@\w*)?)$"
)
"""A head without its block, and words that say nothing when they stand alone.

`if (x) return` is whole, and so is a function of one expression, `fun size() = n`.
"""

HEAD = re.compile(r"(?:\}[ \t]*)?(?:if|else|for|foreach|while|switch|catch|synchronized|using|lock|unsafe)\b")
"""What a semicolon would leave without its block."""

STATEMENT = re.compile(
    r"(?:(?:return|break|continue|throw|goto|use|import|package|let|const|var|using|typedef|delete)\b|.*[(=:]).*"
    r"(?:[\w)\]'\"`?]|\+\+|--)$"
)
"""What a semicolon ends: more than a name, and no operator at its end."""

PARTIAL_TAG = re.compile(r"</?[\w.:-]*$")


def whole_forms(text: str, cursor: Cursor) -> Iterator[str]:
    """Yield a text, and a form of it with a semicolon, as far as its last line may be a whole statement.

    A line that stood there before the suggestion need not be whole: it was not before, either.
    """
    balance = cursor.balance
    state = balance.opened_behind(text)
    if balance.in_string(state) or balance.in_comment(state):
        yield text
        return
    if not balance.in_code(state):
        yield PARTIAL_TAG.sub("", text).rstrip()
        return
    line = split_lines(cursor.line_prefix + text)[-1].strip()
    begun_before = "\n" not in text and bool(cursor.line_prefix.strip())
    if begun_before or cursor.grammar is not None or not ONLY_BEGUN.match(line):
        yield text
    if cursor.syntax.family == "braces" and not begun_before and STATEMENT.match(line) and not HEAD.match(line):
        yield text + ";"
