"""Where a suggestion ends: at the end of its line, of its block, or where it begins to repeat itself.

A rule looks at the text generated so far and returns the offset at which it ends, or None while it does not.
A text that has ended may grow without moving its end, so the same rules stop the decoder and cut its result.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from greencode_lsp.completion.fitting.cursor import Cursor
from greencode_lsp.completion.fitting.indentation import OPENERS
from greencode_lsp.completion.fitting.residue import end_before_chat
from greencode_lsp.completion.lines import LINE_END, indentation, line_starts, split_lines

LONGEST_REPEATED = 120
"""Characters: a longer piece than this is never taken for the model going round in circles."""

CLOSERS = ("}", ")", "]", "end")


class StopRule(Protocol):
    """Finds the end of a text."""

    def end(self, text: str) -> int | None:
        """Return the offset where the text ends, or None."""


@dataclass(frozen=True)
class EndOfLine:
    """Ends with the first line that says something, or at the very next line break when the cursor is mid-line."""

    may_start_below: bool

    def end(self, text: str) -> int | None:
        """Return the offset of the line break behind the first line with content, 0 when a blank line comes first."""
        for count, match in enumerate(LINE_END.finditer(text)):
            if not self.may_start_below or text[: match.start()].strip():
                return match.start()
            if count == 1:
                return 0
        return None


@dataclass(frozen=True)
class EndOfBlock:
    """Ends before a blank line and before a line that leaves the block: indented less than `indent`.

    A line that closes a bracket at the indentation of the block's head (`close_at`) still belongs to it.
    """

    indent: int
    close_at: int

    def end(self, text: str) -> int | None:
        """Return the offset of the line break before the first line outside the block."""
        starts = line_starts(text)
        for before, start in itertools.pairwise(starts):
            if not text[:start].strip():
                continue
            line_break = before + len(text[before:start].rstrip("\r\n"))
            if not text[before:start].strip():  # a blank line, now that something has been said
                return len(text[:before].rstrip())
            line = text[start:].split("\n", 1)[0]
            if not line.strip():
                continue  # not known yet: the line has only its indentation, or nothing
            if indentation(line) >= self.indent:
                continue
            if indentation(line) == self.close_at and line.strip().startswith(CLOSERS):
                return self._end_of_closing_line(text, start)
            return line_break
        return None

    def _end_of_closing_line(self, text: str, start: int) -> int | None:
        match = LINE_END.search(text, start)
        return match.start() if match else None


@dataclass(frozen=True)
class Repetition:
    """Ends when a line comes again, or a piece of text three times in a row over at least `span` characters.

    Lines shorter than `line` characters say too little: `return None` or `} else {` may well come twice. A line that
    goes round in circles is never finished, so nothing of it is kept.
    """

    span: int = 24
    line: int = 16

    def end(self, text: str) -> int | None:
        """Return the offset before the line break of a repeated line, or behind the last line before a circle."""
        known = self._end_before_known_line(text)
        return self._end_before_circle(text) if known is None else known

    def _end_before_known_line(self, text: str) -> int | None:
        known = set()
        for start, line in zip(line_starts(text), split_lines(text), strict=True):
            content = line.strip()
            if line.endswith(("\n", "\r")) and content in known:
                return len(text[:start].rstrip("\r\n"))
            if len(content) >= self.line:
                known.add(content)
        return None

    def _end_before_circle(self, text: str) -> int | None:
        for length in range(1, min(len(text) // 3, LONGEST_REPEATED) + 1):
            times = max(3, -(-self.span // length))
            unit = text[-length:]
            if unit.strip() and text.endswith(unit * times):
                first_piece = len(text) - length * (times - 1)
                return end_of_whole_lines(text, first_piece, ends=bool(LINE_END.search(unit)))
        return None


def end_of_whole_lines(text: str, offset: int, *, ends: bool) -> int:
    """Return where the line that `offset` lies in ends if it `ends` at all, else where the line before does, 0 if none.

    The line break itself does not belong to it.
    """
    start = [start for start in line_starts(text) if start <= offset][-1]
    if ends and start < offset and (match := LINE_END.search(text, offset)):
        return match.start()
    return len(text[:start].rstrip("\r\n"))


def first_end(rules: Sequence[StopRule], text: str) -> int | None:
    """Return the earliest end that any rule finds."""
    ends = [end for rule in rules if (end := rule.end(text)) is not None]
    return min(ends, default=None)


@dataclass(frozen=True)
class BeforeChat:
    """Ends before a Markdown fence or a sentence about the code."""

    cursor: Cursor

    def end(self, text: str) -> int | None:
        """Return the offset behind the last line that is code, once one has begun that is not."""
        end = end_before_chat(text, self.cursor, growing=True)
        return None if end is None else len(text[:end].rstrip())


def stop_rules(cursor: Cursor, multiline: str) -> list[StopRule]:
    """Choose rules by where the cursor is. `multiline` is "auto", "always" or "never".

    Text behind the cursor on its line allows one line only. "auto" allows several on a blank line inside a block and
    behind a block opener.
    """
    line, line_suffix = cursor.line_prefix, cursor.line_suffix
    always: list[StopRule] = [Repetition(), BeforeChat(cursor)]
    opens = line.rstrip().endswith(OPENERS)
    blank = not line.strip() and cursor.prefix.strip() != ""
    several = multiline == "always" or (multiline == "auto" and (opens or blank))
    if line_suffix.strip() or not several:
        return [EndOfLine(may_start_below=not line_suffix.strip()), *always]
    head = indentation(line)
    return [EndOfBlock(indent=head + 1 if opens else head, close_at=head), *always]
