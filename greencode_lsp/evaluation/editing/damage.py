"""What a suggestion breaks: a document after it was taken, against the one before."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from greencode_lsp.evaluation.editing.marks import Mark, SyntaxReading, read_syntax
from greencode_lsp.evaluation.editing.style import LINE_END, LITERAL, indents_by, is_in_literal, line_ends

LEAST_LETTERS = 6
"""A line with fewer letters and digits, such as `}`, `break;` or `</div>`, may well stand twice."""

CLOSING_LINE = re.compile(r"(</[\w.:-]*>|[\s)\]};,])+")
BLANKS = re.compile(r"[ \t]*")
FENCE = re.compile(r"^\s*(```|~~~)")
SENTENCE = re.compile(r"(?:[A-Z][\w'-]*|I)(?:,? [\w'`\"(),.-]+){3,}[.:!?]")
OPENING_WORDS = re.compile(
    r"(?:Here(?:'s| is| are)|This (?:code|function|program|method|class|script|file)"
    r"|The (?:above|following|code|output)|In this|Note that|Explanation:|Output:|Sure[,!]|You can|Let's)\b"
)
PLAIN_TEXT = re.compile(r"^(jsx_)?text$")
"""Leaves in which sentences belong."""


@dataclass(frozen=True)
class Damage:
    """What is wrong with a suggestion, one truth for each kind of damage; `details` says where.

    - unbalanced: more brackets, quotes or tags without a partner than before
    - syntax: more errors than before
    - repeated: a line of the suggestion stands directly above or below it, or twice in a row in it
    - indentation: a new line is indented by tabs where the file has spaces, or the other way round
    - doubled: the cursor's line had its indentation and got more
    - line_ends: more kinds of line ends than before
    - fence: a Markdown fence, or a sentence about the code outside of strings and comments
    - empty: nothing but blanks
    """

    unbalanced: bool = False
    syntax: bool = False
    repeated: bool = False
    indentation: bool = False
    doubled: bool = False
    line_ends: bool = False
    fence: bool = False
    empty: bool = False
    details: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of what is wrong."""
        return tuple(name for name in DAMAGES if getattr(self, name))


DAMAGES = ("unbalanced", "syntax", "repeated", "indentation", "doubled", "line_ends", "fence", "empty")
"""All kinds of damage, in the order of a table's columns."""


@dataclass(frozen=True)
class Edit:
    """A text that replaces a document from `start` to `end`."""

    before: str
    start: int
    end: int
    text: str

    @property
    def after(self) -> str:
        """The document that it leaves."""
        return self.before[: self.start] + self.text + self.before[self.end :]


def judge(edit: Edit, grammar: str) -> Damage:
    """Return what an edit breaks in a document; raise `EvaluationError` where the grammar is not installed."""
    before, after = cached_reading(edit.before, grammar), read_syntax(edit.after, grammar)
    found = {
        "unbalanced": unbalanced(before, after),
        "syntax": new_errors(before, after),
        "repeated": repeated_line(edit),
        "indentation": foreign_indentation(edit, before, after),
        "doubled": doubled_indentation(edit),
        "line_ends": foreign_line_end(edit),
        "fence": fence_or_prose(edit, after),
        "empty": None if edit.text.strip() else "nothing but blanks",
    }
    details = tuple(f"{name}: {detail}" for name, detail in found.items() if detail is not None)
    return Damage(**{name: detail is not None for name, detail in found.items()}, details=details)


@lru_cache(maxsize=8)
def cached_reading(text: str, grammar: str) -> SyntaxReading:
    """Read a document once for all suggestions at its place."""
    return read_syntax(text, grammar)


def unbalanced(before: SyntaxReading, after: SyntaxReading) -> str | None:
    """Name the marks that have no partner, where there are more of them than before."""
    if len(after.unmatched) <= len(before.unmatched):
        return None
    more = Counter(name_of(mark, after) for mark in after.unmatched)
    more -= Counter(name_of(mark, before) for mark in before.unmatched)
    return f"{len(before.unmatched)} before, {len(after.unmatched)} after: {' '.join(more.elements())}"


def name_of(mark: Mark, reading: SyntaxReading) -> str:
    """Return a mark as a person reads it."""
    if mark.is_tag:
        return mark.kind if mark.role == "open" else mark.kind.replace("<", "</")
    return reading.text[mark.start : mark.end]


def new_errors(before: SyntaxReading, after: SyntaxReading) -> str | None:
    """Tell the numbers of errors where there are more than before."""
    return f"{before.errors} before, {after.errors} after" if after.errors > before.errors else None


def repeated_line(edit: Edit) -> str | None:
    """Return a line that is written and stands directly above or below, or was written just before; blanks aside."""
    above, written, below = lines_around(edit)
    neighbours = [line for line in (above[-1:] + below[:1]) if not is_trivial(line)]
    for index, line in enumerate(written):
        if not is_trivial(line) and (line in neighbours or (index and line == written[index - 1])):
            return line
    return None


def lines_around(edit: Edit) -> tuple[list[str], list[str], list[str]]:
    """Return the lines above, those that are written to, and those below, stripped and without blank ones."""
    after, stop = edit.after, edit.start + len(edit.text)
    begin = max(after.rfind("\n", 0, edit.start), after.rfind("\r", 0, edit.start)) + 1
    found = LINE_END.search(after, stop)
    end = found.start() if found else len(after)
    above, written, below = (
        [line.strip() for line in LINE_END.split(part) if line.strip()]
        for part in (after[:begin], after[begin:end], after[end:])
    )
    return above, written, below


def is_trivial(line: str) -> bool:
    """Say whether a line may well stand twice in a row."""
    return sum(map(str.isalnum, line)) < LEAST_LETTERS or CLOSING_LINE.fullmatch(line) is not None


def foreign_indentation(edit: Edit, before: SyntaxReading, after: SyntaxReading) -> str | None:
    """Return the blanks of a new line of code that are not of the kind that the file indents by."""
    style = indents_by(before)
    if style is None:
        return None
    starts = [edit.start + match.end() for match in LINE_END.finditer(edit.text)]
    if not LINE_END.split(edit.before[: edit.start])[-1].strip():
        starts.insert(0, edit.start)
    for start in starts:
        line = LINE_END.split(edit.after[start : edit.start + len(edit.text)])[0]
        blanks = _leading(line)
        if not line.strip() or is_in_literal(after, start):
            continue
        if "\t" in blanks if style == "spaces" else "    " in blanks or blanks[:1] == " ":
            return f"{blanks!r} in a file indented by {style}"
    return None


def doubled_indentation(edit: Edit) -> str | None:
    """Tell the widths where the cursor's line had only its indentation, and has more of it now."""
    first = LINE_END.split(edit.text)[0]
    line_start = max(edit.before.rfind("\n", 0, edit.end), edit.before.rfind("\r", 0, edit.end)) + 1
    before = edit.before[line_start : edit.end]
    if edit.start < line_start or not before or before.strip() or not first.strip():
        return None
    now = _leading(edit.before[line_start : edit.start] + first)
    return f"{len(before)} columns before, {len(now)} after" if len(now) > len(before) else None


def foreign_line_end(edit: Edit) -> str | None:
    """Name line ends that the document had none of, where it had others; a document without any takes all one kind."""
    before, after = line_ends(edit.before), line_ends(edit.after)
    new = set(after) - set(before)
    if not new or (not before and len(after) == 1):
        return None
    return f"{', '.join(sorted(map(repr, new)))} among {', '.join(sorted(map(repr, before or after)))}"


def fence_or_prose(edit: Edit, after: SyntaxReading) -> str | None:
    """Return a line that is a Markdown fence, or a sentence where code should be."""
    offset = edit.start
    for line in re.split(r"(?<=\n)", edit.text):
        begin = offset + len(line) - len(line.lstrip())
        offset += len(line)
        content = line.strip()
        leaf = after.leaf_at(begin)
        type = leaf.type if leaf is not None else ""
        if not content or LITERAL.search(type):
            continue
        if FENCE.match(line):
            return content
        if not PLAIN_TEXT.search(type) and (OPENING_WORDS.match(content) or SENTENCE.fullmatch(content)):
            return content
    return None


def _leading(line: str) -> str:
    found = BLANKS.match(line)
    return found[0] if found else ""
