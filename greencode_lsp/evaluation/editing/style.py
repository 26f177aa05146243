"""A file's line ends and indentation: what they are, and the same file with others."""

from __future__ import annotations

import re
from collections import Counter

from greencode_lsp.evaluation.editing.marks import SyntaxReading

LINE_END = re.compile(r"\r\n|\r|\n")
LEADING = re.compile(r"^[ \t]+(?=[^ \t\r\n])", re.MULTILINE)
TAB_WIDTH = 4

LITERAL = re.compile(r"comment|string_content|fragment|raw_string|block_scalar|attribute_value")
"""Leaves of strings and comments."""


def line_ends(text: str) -> Counter[str]:
    """Count the line ends of each kind."""
    return Counter(LINE_END.findall(text))


def usual_line_end(text: str) -> str:
    r"""Return the line end that a text has most of, "\n" where it has none."""
    found = line_ends(text)
    return found.most_common(1)[0][0] if found else "\n"


def with_line_ends(text: str, line_end: str) -> str:
    """Return the text with one kind of line end."""
    return LINE_END.sub(lambda match: line_end, text)


def indents_by(reading: SyntaxReading) -> str | None:
    """Return "tabs" or "spaces", what more of the indented lines begin with; None where no line tells.

    Lines inside of a string or a comment do not count.
    """
    found: Counter[str] = Counter()
    for match in LEADING.finditer(reading.text):
        if not is_in_literal(reading, match.start()):
            found["tabs" if match[0][0] == "\t" else "spaces"] += 1
    return found.most_common(1)[0][0] if found else None


def is_in_literal(reading: SyntaxReading, offset: int) -> bool:
    """Say whether a line that begins at an offset goes on with a string or a comment that began above."""
    leaf = reading.leaf_at(offset)
    return leaf is not None and leaf.start < offset and LITERAL.search(leaf.type) is not None


def indentation_unit(text: str) -> int:
    """Return how many spaces a level of indentation is: the commonest step from a line to a deeper one below it."""
    widths = [len(match[0]) for match in LEADING.finditer(text) if "\t" not in match[0] and match[0] != " "]
    steps = Counter(
        deeper - width for width, deeper in zip([0, *widths], widths, strict=False) if 1 < deeper - width <= 8
    )
    return steps.most_common(1)[0][0] if steps else TAB_WIDTH


def with_indentation(reading: SyntaxReading, style: str) -> str:
    """Return the text indented by "tabs" or "spaces"; what a string or a comment of several lines holds stays as it is.

    Blanks that are no whole level, as before a continued argument, stay behind the tabs.
    """
    text = reading.text
    unit = indentation_unit(text)

    def indent(match: re.Match[str]) -> str:
        if is_in_literal(reading, match.start()):
            return match[0]
        if style == "spaces":
            return match[0].replace("\t", " " * TAB_WIDTH)
        levels, rest = divmod(len(match[0].replace("\t", " " * unit)), unit)
        return "\t" * levels + " " * rest

    return LEADING.sub(indent, text)
