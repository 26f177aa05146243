"""Joining a suggestion to what stands behind the cursor on its line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from greencode_lsp.completion.fitting.cursor import Cursor

CLOSING_REST = re.compile(r"(?:\(\)|\[\]|[\s)\]}'\"`;,:>?!{]|=>|</[\w.:-]*|/>|\*/|-->)*")
"""A rest of a line that only closes what stands before the cursor, as an editor puts it there."""

TOKEN = re.compile(r"\w+|[^\w\s]")
JOINING_WORD = re.compile(r"(?:and|or|not|in|is|if|else|for|as|from|of|instanceof|extends|implements|then|do|while)\b")
OPERATOR_END = re.compile(r"(?:^|[-=+*/%&|^<>~!?,.:;({\[@\s])$")


def only_closes(line_suffix: str) -> bool:
    """Say whether the rest of the cursor's line holds closers and separators only."""
    return CLOSING_REST.fullmatch(line_suffix) is not None


def joined(text: str, cursor: Cursor) -> str:
    """Return the beginning of a suggestion that leads to the text behind the cursor, empty where none does.

    Where the suggestion comes to what stands there, it ends: `x, y, speed)` before `, y=2)` is `x`.
    """
    rest = cursor.line_suffix
    spaced = rest[:1].isspace()
    rest = rest.lstrip()
    token = TOKEN.match(rest)
    if token is None:
        return text
    meeting = meeting_point(text, rest, token.group(), cursor)
    if meeting is not None:
        return text[:meeting].rstrip() if spaced else text[:meeting]
    if cursor.syntax.name == "prose" or not cursor.balance.in_code(cursor.balance.opened):
        return text  # in a string or in prose, words follow each other
    if spaced and cursor.grammar is not None:
        return text  # a parser knows better: `private` before ` String`
    if cursor.syntax.name == "sql" and token.group()[0].isalpha():
        return text
    needs_operator = token.group()[0].isalnum() or token.group() in ("_", "'", '"', "`", "(", "[", "{")
    if not needs_operator or (spaced and JOINING_WORD.match(rest)):
        return text
    if token.group() in ("(", "["):
        return text if text[-1:].isalnum() or text[-1:] in "_)]" else ""
    return text if OPERATOR_END.search(text) else ""


def meeting_point(text: str, rest: str, token: str, cursor: Cursor) -> int | None:
    """Return the offset at which a suggestion says what `rest` begins with, outside of what it opened itself.

    Of several such places that which agrees the longest is taken, and the first of these.
    """
    best: tuple[int, int] | None = None
    outside = cursor.balance.opened
    for match in TOKEN.finditer(text):
        if match.group() != token or cursor.balance.opened_behind(text[: match.start()]) != outside:
            continue
        agreeing = common_length(text[match.start() :], rest)
        if best is None or agreeing > best[0]:
            best = (agreeing, match.start())
    return None if best is None else best[1]


def common_length(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def replaceable(text: str, line_suffix: str) -> Iterator[int]:
    """Yield how many characters of the rest of a line a text may take the place of, the most first.

    Only those that it says again, in their order: an editor shows a replaced text only where it comes back.
    """
    longest, position = 0, 0
    for character in line_suffix:
        if not character.isspace():
            found = text.find(character, position)
            if found < 0:
                break
            position = found + 1
        longest += 1
    for length in range(longest, -1, -1):
        if length == 0 or not line_suffix[length - 1].isspace():
            yield length
