"""Lines that stand above or below the cursor already."""

from __future__ import annotations

import re

from greencode_lsp.completion.fitting.cursor import Cursor
from greencode_lsp.completion.fitting.indentation import opens_block
from greencode_lsp.completion.lines import split_lines

WORD = re.compile(r"[^\W\d]")
EMPTY_ELEMENT = re.compile(r"<([\w.:-]+)[^<>]*></\1>")
REPEATED_BELOW, REPEATED_ABOVE = 6, 14
"""Letters and digits: a shorter line below the first one may well stand there twice."""

CLOSERS_ONLY = re.compile(r"[)\]};,\s]+")
CLOSING_WORDS = {"end", "fi", "done", "esac", "endif", "else", "else:", "break", "break;", "pass", "};"}
COMMENTS = ("#", "//", "--", "/*", "*", "<!--", ";", "%", '"""')
REPEATED_COMMENT_LINES = 20
"""A comment that stands within so many lines above is not said again."""


def without_known_lines(text: str, cursor: Cursor) -> str:
    """Drop the end of a suggestion from the first line on that repeats what stands directly above or below it."""
    lines = split_lines(text)
    whole = [(cursor.line_prefix + lines[0]).rstrip("\r\n"), *(line.rstrip("\r\n") for line in lines[1:])]
    end = min(first_known_above(whole, cursor), first_known_below(whole, cursor))
    if end == len(lines):
        return text
    while end and opens_block(whole[end - 1]):
        end -= 1  # a head whose block has gone
    return "".join(lines[:end]).rstrip("\r\n")


def without_foreign_closers(text: str, cursor: Cursor) -> str:
    """Cut a suggestion before a line of closers only that closes what the document closes further below."""
    balance = cursor.balance
    if cursor.line_suffix.strip() or any(mark in balance.missing for mark in balance.opened):
        return text  # there is none further below
    beginning = ""
    for number, line in enumerate(split_lines(text)):
        whole = cursor.line_prefix + line if number == 0 else line
        if CLOSERS_ONLY.fullmatch(whole.strip()) and len(balance.opened_behind(beginning + line)) < len(balance.opened):
            return beginning.rstrip()
        beginning += line
    return text


def first_known_below(whole: list[str], cursor: Cursor) -> int:
    """Return the number of the line from which on a suggestion says what the lines below say, indentation included.

    Lines without a word close something: whether they are there already is for the balance of brackets to say.
    """
    below = [without_separator(line) for line in cursor.below if line.strip()]
    if begins_like(whole, below):
        return 0
    for start, line in enumerate(whole):
        ours = [without_separator(other) for other in whole[start:] if other.strip()]
        if is_telling(line) and same_lines(ours, below, start == 0):
            return start
        if start and ours and says_again(ours[0], below, cursor):
            return start
    return len(whole)


def begins_like(whole: list[str], below: list[str]) -> bool:
    """Say whether a suggestion begins with the next line of the document; where that says little, with the next two."""
    ours = [without_separator(line).strip() for line in whole if line.strip()][:2]
    known = [line.strip() for line in below[: len(ours)]]
    if not ours or ours[:1] != known[:1] or CLOSERS_ONLY.fullmatch(ours[0]) or ours[0][0] in "@#":
        return False
    return ours == known or sum(character.isalnum() for character in ours[0]) >= REPEATED_BELOW


def says_again(line: str, below: list[str], cursor: Cursor) -> bool:
    """Say whether a line below the first one is the next line of the document, or a long one that stands above."""
    length = sum(character.isalnum() for character in line)
    if line in below[:1]:
        return length >= REPEATED_BELOW or line.strip() in CLOSING_WORDS
    return length >= REPEATED_ABOVE and line == without_separator(cursor.line_above)


def without_separator(line: str) -> str:
    """Return a line without the comma or semicolon at its end, which the last of several may lack."""
    return line.rstrip().rstrip(",;")


def same_lines(ours: list[str], below: list[str], at_cursor: bool) -> bool:
    """Say whether lines are the next ones of the document, as far as they have words; at the cursor without blanks."""
    told = next((count for count, line in enumerate(ours) if not WORD.search(line)), len(ours))
    if at_cursor:
        return bool(told) and [line.strip() for line in ours[:told]] == [line.strip() for line in below[:told]]
    return bool(told) and ours[:told] == below[:told]


def first_known_above(whole: list[str], cursor: Cursor) -> int:
    """Return the number of the first line that says what the line above it says, or a comment that stands near."""
    comments = {line.strip() for line in cursor.above[-REPEATED_COMMENT_LINES:] if is_comment(line)}
    last = cursor.line_above.strip()
    for number, line in enumerate(whole):
        content = line.strip()
        if is_telling(line) and (content == last or (content in comments and is_comment(line))):
            return number
        if content:
            last = content
    return len(whole)


def repeats_line_above(text: str, replaces: int, cursor: Cursor) -> bool:
    """Say whether a text makes the cursor's line, with what stays behind it, the same as the line above."""
    whole = cursor.line_prefix + text + cursor.line_suffix[replaces:]
    above = cursor.above[-1] if cursor.above else ""
    return "\n" not in text and is_telling(whole) and whole.rstrip() == above.rstrip()


def is_telling(line: str) -> bool:
    """Say whether a line has words that do more than to close something."""
    content = line.strip()
    return (
        bool(WORD.search(content))
        and content not in CLOSING_WORDS
        and not content.startswith("</")
        and not EMPTY_ELEMENT.fullmatch(content)
    )


def is_comment(line: str) -> bool:
    """Say whether a line looks like a comment that says something."""
    return line.lstrip().startswith(COMMENTS) and len(line.strip()) > 3
