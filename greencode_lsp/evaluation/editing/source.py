"""A file made ready for cutting: its lines, its pairs of brackets, quotes and tags, and what an editor would close."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from greencode_lsp.evaluation.editing.languages import INDENTED_BLOCKS, FileType
from greencode_lsp.evaluation.editing.marks import CLOSERS, Mark, SyntaxReading
from greencode_lsp.evaluation.editing.style import LINE_END, usual_line_end

MOST_REMOVED_LINES = 40

NOT_CLOSED = ("<", '"""', "'''")
"""What editors leave open."""


@dataclass(frozen=True)
class Pair:
    """An opening mark and its partner."""

    open: Mark
    close: Mark


@dataclass(frozen=True)
class Source:
    """A file without errors, as places are cut from it."""

    project: str
    path: str
    type: FileType
    reading: SyntaxReading

    @property
    def text(self) -> str:
        """The whole text."""
        return self.reading.text

    @cached_property
    def line_end(self) -> str:
        """The file's line end."""
        return usual_line_end(self.text)

    @cached_property
    def starts(self) -> list[int]:
        """Where each line begins."""
        return [0, *(match.end() for match in LINE_END.finditer(self.text))]

    @cached_property
    def pairs(self) -> list[Pair]:
        """All pairs, in the order of their opening marks."""
        marks, partner = self.reading.marks, self.reading.pairs
        return [Pair(marks[index], marks[other]) for index, other in sorted(partner.items()) if index < other]

    def line_at(self, offset: int) -> int:
        """Return the number of the line that holds an offset, the first is 0."""
        return bisect_right(self.starts, offset) - 1

    def start_of(self, line: int) -> int:
        """Return where a line begins."""
        return self.starts[line]

    def end_of(self, line: int) -> int:
        """Return where a line ends, before its line end."""
        after = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        return self.starts[line] + len(self.text[self.starts[line] : after].rstrip("\r\n"))

    def content(self, line: int) -> str:
        """Return a line without its line end."""
        return self.text[self.start_of(line) : self.end_of(line)]

    def indentation(self, line: int) -> str:
        """Return the blanks that a line begins with."""
        content = self.content(line)
        return content[: len(content) - len(content.lstrip(" \t"))]

    def is_code_line(self, line: int) -> bool:
        """Say whether a line begins with a token that ends there: not blank, no part of a comment of several lines."""
        begin = self.start_of(line) + len(self.indentation(line))
        leaf = self.reading.leaf_at(begin)
        if leaf is None or leaf.start != begin:
            return False
        return bool(self.content(line).strip()) and not LINE_END.search(self.text[begin : leaf.end].rstrip("\r\n"))

    def is_self_contained(self, start: int, end: int) -> bool:
        """Say whether every mark in a piece of text has its partner there."""
        inside = [pair for pair in self.pairs if start <= pair.open.start < end or start <= pair.close.start < end]
        return all(start <= pair.open.start and pair.close.end <= end for pair in inside)

    def block_below(self, line: int) -> int:
        """Return the last line of the deeper indented block below a line, the line itself where there is none."""
        width, last = len(self.indentation(line)), line
        for other in range(line + 1, len(self.starts)):
            if not self.content(other).strip():
                continue
            if len(self.indentation(other)) <= width:
                break
            last = other
        return last

    def open_at(self, cursor: int) -> list[Pair]:
        """Return pairs that are opened on the cursor's line before it and closed behind it, innermost first."""
        begin = self.start_of(self.line_at(cursor))
        return [pair for pair in reversed(self.pairs) if begin <= pair.open.start < cursor <= pair.close.start]

    def unwritten(self, cursor: int) -> tuple[int, str] | None:
        """Return where that ends which a person has not yet written, and what the editor has closed at the cursor.

        Unwritten is the rest of the line, with blocks that begin there: a person who types `if (` has no block yet.
        None where the rest closes what was opened above, where it is too long, or where no editor closes by itself.
        """
        opened = self.open_at(cursor)
        if any(pair.open.kind in NOT_CLOSED for pair in opened):
            return None
        line = self.line_at(cursor)
        end = max([self.end_of(line), *(self.end_of(self.line_at(pair.close.start)) for pair in opened)])
        for pair in self.pairs:
            if cursor <= pair.close.start < end and pair.open.start < self.start_of(line):
                return None
            if cursor <= pair.open.start < end:
                end = max(end, self.end_of(self.line_at(max(pair.close.end - 1, pair.close.start))))
        last = self.line_at(end)
        if self.type.language in INDENTED_BLOCKS and self.content(last).rstrip().endswith(":"):
            last = self.block_below(last)
            end = self.end_of(last)
        if last - line > MOST_REMOVED_LINES:
            return None
        return end, "".join(closer_of(pair.open) for pair in opened)


def closer_of(mark: Mark) -> str:
    """Return what an editor writes to close a bracket, a quote or a tag."""
    if mark.is_tag:
        return f"</{mark.kind[1:-1]}>"
    return CLOSERS.get(mark.kind, mark.kind)
