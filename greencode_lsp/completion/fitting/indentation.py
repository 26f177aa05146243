"""Indentation: a suggestion's lines begin as the document's do, and its first line where the cursor stands."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from greencode_lsp.completion.lines import split_lines

OPENERS = (":", "{", "(", "[", "=>", "->")
BLANKS = re.compile(r"[ \t]*")
LOOKED_AT = 6_000
"""Characters on each side of the cursor that are looked at for the style of indentation."""


@dataclass(frozen=True)
class IndentStyle:
    """How a document indents: by tabs, or by so many spaces; unknown where nothing is indented."""

    tabs: bool | None
    width: int = 4

    @classmethod
    def of(cls, prefix: str, suffix: str) -> IndentStyle:
        """Find the style of the text around a cursor; the lines nearest above it decide where both occur."""
        above, below = prefix[-LOOKED_AT:].split("\n"), suffix[:LOOKED_AT].split("\n")
        line = above[-1]
        tabs = line[0] == "\t" if line[:1] in ("\t", " ") else None
        before = [blanks_of(one) for one in above if one.strip()]
        behind = [blanks_of(one) for one in below[1:] if one.strip()]
        nearest = next((blanks for blanks in (*reversed(before), *behind) if blanks), None)
        if tabs is None and nearest is not None:
            tabs = "\t" in nearest
        return cls(tabs, indent_width([*before, *behind]))

    def blanks(self, width: int) -> str:
        """Return the blanks that indent by `width` columns, of which a tab is `self.width`."""
        if not self.tabs:
            return " " * width
        return "\t" * (width // self.width) + " " * (width % self.width)


def blanks_of(line: str) -> str:
    """Return the blanks that a line begins with."""
    match = BLANKS.match(line)
    return match.group() if match else ""


def indent_width(blanks: list[str]) -> int:
    """Return by how many spaces a document mostly indents one level, 4 where that cannot be told."""
    widths = [len(one) for one in blanks if "\t" not in one]
    steps = Counter(abs(after - before) for before, after in itertools.pairwise(widths))
    common = [(count, step) for step, count in steps.items() if step in (2, 3, 4, 8)]
    return max(common)[1] if common else 4


def with_own_indentation(text: str, line_prefix: str, line_above: str, find_style: Callable[[], IndentStyle]) -> str:
    """Return a suggestion with its lines indented as the document's, the first one at the cursor.

    Where the cursor stands behind nothing but blanks, these are the first line's indentation: what the suggestion adds
    to them goes, there and on the lines below. Only where the cursor stands less deep than the line above allows, it
    may add what is missing.
    """
    if "\n" not in text and (line_prefix.strip() or not blanks_of(text)):
        return text
    style = find_style()
    first, *others = split_lines(text)
    shift = 0
    if not line_prefix.strip() and first.strip():
        wanted = columns(line_prefix + blanks_of(first), style)
        absolute = stands_by_itself(first, others, wanted, style)
        first, shift = first_line_at_cursor(first, line_prefix, line_above, style)
        shift = 0 if absolute else shift
    elif not first.strip() and others:
        shift = shift_below(others, line_prefix, style)
    return first + "".join(indented(line, shift, style) for line in others)


def first_line_at_cursor(first: str, line_prefix: str, line_above: str, style: IndentStyle) -> tuple[str, int]:
    """Return a first line without the indentation that is too much, and by how many columns those below move."""
    added = blanks_of(first)
    column = columns(line_prefix, style)
    wanted = columns(line_prefix + added, style)
    above = columns(blanks_of(line_above), style)
    deepest = above + style.width if opens_block(line_above) else above
    enough = column > above if opens_block(line_above) else column >= above or column > 0
    target = column if enough else max(min(wanted, deepest), column)
    kept = style.blanks(target)[len(style.blanks(column)) :] if target > column else ""
    return kept + first[len(added) :], target - wanted


def stands_by_itself(first: str, others: list[str], wanted: int, style: IndentStyle) -> bool:
    """Say whether the lines below are not as deep as the first one would be with the blanks that it repeats.

    Then these lines are where they belong, and only the first one moves.
    """
    below = [columns(blanks_of(line), style) for line in others if line.strip() and line.strip()[0] not in ")]}"]
    return bool(below) and (min(below) < wanted or (opens_block(first) and below[0] <= wanted))


def shift_below(lines: list[str], head: str, style: IndentStyle) -> int:
    """Return by how many columns the lines below a head that ends in an opener move, to be one level deeper than it."""
    first = next((line for line in lines if line.strip()), "")
    if not first or not opens_block(head) or style.tabs is None:
        return 0
    foreign = ("\t" in blanks_of(first)) != style.tabs
    base = columns(blanks_of(head), style)
    return base + style.width - columns(blanks_of(first), style) if foreign else 0


def indented(line: str, shift: int, style: IndentStyle) -> str:
    """Return a line moved by `shift` columns, its indentation written in the document's style."""
    blanks = blanks_of(line)
    content = line[len(blanks) :]
    if not content.strip():
        return content
    foreign = style.tabs is not None and ("\t" in blanks) != style.tabs and bool(blanks)
    if not shift and not foreign:
        return line
    return style.blanks(max(columns(blanks, style) + shift, 0)) + content


def columns(blanks: str, style: IndentStyle) -> int:
    """Return the width of blanks in columns, a tab counting as one level."""
    levels = blanks.count("\t")
    return levels * style.width + blanks.count(" ")


def opens_block(line: str) -> bool:
    """Say whether the next line is likely to be indented deeper than this one."""
    return line.rstrip().endswith(OPENERS)
