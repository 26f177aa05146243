"""Where a suggestion may end: behind something whole, and with what it opened closed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from greencode_lsp.completion.fitting.cursor import Cursor
from greencode_lsp.completion.fitting.indentation import blanks_of
from greencode_lsp.completion.lines import split_lines
from greencode_lsp.completion.syntax.tables import BRACKETS, HOLE

CLOSERS = {**BRACKETS, HOLE: "}"}
PIECE = re.compile(r"</[\w.:-]*\s*>|\w+|\s+|[^\w\s]")
DANGLING = re.compile(
    r"(?:[ \t]+|(?<!\+)\+|(?<!-)-|(?<![*/])[*/](?![*/])|[=%&|^<~,.@:\\]|(?<=\s)[!?]|->|=>|(?<=\s)>|"
    r"\b(?:and|or|not|in|is|if|elif|else|for|while|as|import|from|new|typeof|instanceof|await|lambda|extends|implements|"
    r"throws|let|const|var|public|private|protected|static|final|def|class|function|func|fn|with|except|case))$"
)
"""What needs something behind it."""

PARAMETERS = re.compile(r"(?:\([^()]*\)|\w+)$")
"""What stands before the arrow of a function."""

LAST_WORD = re.compile(r"\.?\w+$")
WHOLE_NAME = re.compile(r"^(?:__\w+__|_)$")
WHOLE_LINE = re.compile(
    r"[;}][ \t]*$|^[ \t]*(?:pass|break|continue|return|end|fi|done|esac)$|"
    r"(?<![\w.])(?:None|True|False|null|nil|true|false|undefined|nullptr)$"
)
"""A line that is whole even where a model was stopped behind it."""

COLON_OF_PYTHON = re.compile(r"(\)(?:\s*->\s*[\w<>\[\], &]+)?):$")
CONTINUES = (".", "?.", "&&", "||", "+", "?", ":")
BLOCK_HEAD = re.compile(r":[ \t]*$")


def without_dangling_end(text: str, cursor: Cursor) -> str:
    """Drop operators, keywords and commas from the end of a code text, which need something behind them.

    A comma at the end of a whole line stays: an item of a list ends with it.
    """
    text = text.rstrip()
    if cursor.syntax.name in ("prose", "shell"):
        return text
    while text.strip():
        if text.endswith(",") and "\n" in text.strip():
            return text
        if not cursor.balance.in_code(cursor.balance.opened_behind(text)):
            return text
        if cursor.syntax.family == "indent" and BLOCK_HEAD.search(text) and not cursor.balance.own(text):
            return text
        match = DANGLING.search(text)
        if match is None:
            return text
        text = text[: match.start()].rstrip()
        if match.group() == "=>":
            text = PARAMETERS.sub("", text).rstrip()
    return ""


def as_the_next_line_wants(text: str, cursor: Cursor) -> str:
    """Return a text without an end that does not go with its language or with the line below.

    A model that has seen much Python ends heads with a colon elsewhere, too; and a line that goes on below, with a dot
    or an operator, takes no semicolon.
    """
    if cursor.syntax.family in ("braces", "free"):
        text = COLON_OF_PYTHON.sub(r"\1", text)
    below = next((line.strip() for line in cursor.below if line.strip()), "")
    if text.endswith((";", ",")) and below.startswith(CONTINUES) and not cursor.line_suffix.endswith(";"):
        return text[:-1]
    return text


def whole_part(text: str, line_prefix: str, at_limit: bool) -> str:
    """Return a text that ended before the model was done without what it had only begun.

    At the token limit that is the last of several lines, or the last word of one, unless they are whole for certain.
    """
    if not at_limit:
        return without_begun_name(text, line_prefix)
    lines = split_lines(text)
    if WHOLE_LINE.search(lines[-1]):
        return text
    if len(lines) > 1 and "".join(lines[:-1]).strip():
        return "".join(lines[:-1]).rstrip()
    return re.sub(r"\w+$", "", text)


def without_begun_name(text: str, line_prefix: str) -> str:
    """Return a text without the underscores at its end, behind which a name goes on; `__init__` and `_` are whole."""
    word = LAST_WORD.search((line_prefix + text).rstrip())
    return text if word is None or WHOLE_NAME.search(word.group()) else text.rstrip("_")


def shorter(text: str) -> Iterator[str]:
    """Yield ever shorter beginnings of a text: without its last lines where it has several, then without pieces."""
    lines = split_lines(text)
    for count in range(len(lines) - 1, 0, -1):
        beginning = "".join(lines[:count]).rstrip()
        if beginning:
            yield beginning
    first = next((line for line in lines if line.strip()), "")
    lead = text[: text.index(first)] if first else ""
    ends = [match.end() for match in PIECE.finditer(first.rstrip("\r\n"))]
    for end in reversed(ends[:-1]):
        yield lead + first[:end]


def with_closers(text: str, cursor: Cursor) -> str | None:
    """Return a text with what it leaves open closed; None where that cannot be: inside a string, behind a comma.

    What was opened on an earlier line is closed on a line of its own, indented as the line that opened it.
    """
    own = cursor.balance.own(text)
    if not own or not all(mark in CLOSERS or (mark[0] == "<" and mark[-1] == ">") for mark in own):
        return None
    opened_on = opening_lines(text, cursor, len(own))
    lines = split_lines(cursor.line_prefix + text)
    closed, line = text, len(lines) - 1
    for mark, opening in zip(reversed(own), reversed(opened_on), strict=True):
        closer = CLOSERS.get(mark) or f"</{mark[1:]}"
        if opening == line:
            closed += closer
        else:
            closed += "\n" + blanks_of(lines[opening]) + closer
            line = opening
    return closed


def opening_lines(text: str, cursor: Cursor, count: int) -> list[int]:
    """Return on which lines, from the cursor's on, the last `count` things were opened that a text leaves open."""
    found: list[int] = []
    balance = cursor.balance
    base = len(balance.opened_behind(text)) - count
    lines = split_lines(text)
    for depth in range(1, count + 1):
        beginning = ""
        opened = 0
        for number, line in enumerate(lines):
            beginning += line
            if len(balance.opened_behind(beginning)) < base + depth:
                opened = number + 1
        found.append(min(opened, len(lines) - 1))
    return found
