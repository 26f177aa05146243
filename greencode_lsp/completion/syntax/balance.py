"""Whether a text fits between what stands before and behind it: no bracket, string or tag worse off than without it."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from greencode_lsp.completion.lines import LINE_END
from greencode_lsp.completion.syntax.scanner import (
    CHUNK_CHARACTERS,
    HEREDOC,
    LINE_COMMENT,
    LONGEST_READ,
    MARKUP_COMMENT,
    Stack,
    open_behind,
    read_piece,
    scan,
)
from greencode_lsp.completion.syntax.tables import BRACKETS, HOLE, Syntax

NEAR_CHARACTERS = 400
"""How much of the cursor's line is read again with every text: the last of it, in a very long line."""


class Balance:
    """A cursor between two texts. `opened` is what is open there, outermost first."""

    def __init__(self, syntax: Syntax, prefix: str, suffix: str) -> None:
        self.syntax = syntax
        self._near = LINE_END.split(prefix[-NEAR_CHARACTERS:])[-1]
        self._open_near: Stack = open_behind(prefix[: len(prefix) - len(self._near)], syntax)
        self.opened: Stack = self.opened_behind("")
        self._rest, *self._pieces = pieces_behind(suffix)
        self._line = scan(self._near + self._rest, self.syntax, self._open_near)
        self._marks = self._before()

    @cached_property
    def missing(self) -> Counter[str]:
        """What is wrong in the document without any text: open to its end, or closed without having been opened."""
        return self._wrong("", 0)

    def opened_behind(self, text: str) -> Stack:
        """Return what is open behind `text`, written at the cursor."""
        return scan(self._near + text, self.syntax, self._open_near).stack

    def is_kept(self, text: str, replaces: int = 0) -> bool:
        """Say whether writing `text` in place of `replaces` characters leaves nothing open that was not so before."""
        return not self.damage(text, replaces)

    def damage(self, text: str, replaces: int = 0) -> Counter[str]:
        """Return what would be left open, or closed without having been opened, and is not so now."""
        after = self._wrong(text, replaces)
        if self._hides_rest(text, replaces):
            after[LINE_COMMENT] += 1
        return after - self.missing

    def own(self, text: str) -> Stack:
        """Return what `text` opens and leaves open, outermost first."""
        behind = self.opened_behind(text)
        shared = 0
        while shared < min(len(behind), len(self.opened)) and behind[shared] == self.opened[shared]:
            shared += 1
        return behind[shared:]

    def in_code(self, stack: Stack) -> bool:
        """Say whether what follows would be code: neither string nor comment nor the text of an element."""
        if not stack:
            return not self.syntax.markup
        return stack[-1] in BRACKETS or stack[-1] == HOLE

    def in_comment(self, stack: Stack) -> bool:
        """Say whether what follows would be a comment."""
        return bool(stack) and (stack[-1] in (LINE_COMMENT, MARKUP_COMMENT) or stack[-1] in self.syntax.comment_ends)

    def in_string(self, stack: Stack) -> bool:
        """Say whether what follows would be part of a string."""
        return bool(stack) and self._is_string(stack[-1])

    def _is_string(self, mark: str) -> bool:
        return mark in self.syntax.string_forms or mark.startswith(HEREDOC)

    def _strings(self, stack: Stack) -> Counter[str]:
        """Return the strings that are open at the end of a line: a text may begin none that goes on below it."""
        return Counter(mark for mark in stack if self._is_string(mark))

    def _hides_rest(self, text: str, replaces: int) -> bool:
        """Say whether a comment would hide the rest of the cursor's line, which is none now."""
        comment = (LINE_COMMENT,)
        hidden = self.opened[-1:] != comment and bool(self._rest[replaces:].strip())
        return hidden and self.opened_behind(text)[-1:] == comment

    def _before(self) -> list[tuple[Stack, Counter[str]]]:
        """Return, for each piece behind the cursor's line, what is open before it and what is wrong from there on."""
        states = [self._line]
        for piece in self._pieces:
            states.append(read_piece(piece, self.syntax, states[-1].stack))
        wrong = left_open(states[-1].stack)
        marks = [(states[-1].stack, Counter(wrong))]
        for before, state in zip(reversed(states[:-1]), reversed(states[1:]), strict=True):
            wrong.update(state.problems)
            marks.append((before.stack, Counter(wrong)))
        return marks[::-1]

    def _wrong(self, text: str, replaces: int) -> Counter[str]:
        """Return what is wrong from the cursor's line on, with a text; only as much is read as that may change."""
        line = scan(self._near + text + self._rest[replaces:], self.syntax, self._open_near)
        wrong, stack = Counter(line.problems), line.stack
        wrong.update(self._strings(line.stack) - self._strings(self._line.stack))
        for piece, (known, known_wrong) in zip(self._pieces, self._marks, strict=False):
            if stack == known:
                return wrong + known_wrong
            read = read_piece(piece, self.syntax, stack)
            wrong.update(read.problems)
            stack = read.stack
        return wrong + left_open(stack)


def left_open(stack: Stack) -> Counter[str]:
    """Return what is open at the end of a document and should not be; a comment ends there with its line."""
    return Counter(mark for mark in stack if mark != LINE_COMMENT)


def pieces_behind(suffix: str) -> list[str]:
    """Return the rest of the cursor's line with its end, and what follows in pieces that end at a line end."""
    end = LINE_END.search(suffix)
    begin = end.end() if end else len(suffix)
    pieces = [suffix[:begin]]
    while begin < min(len(suffix), LONGEST_READ):
        end = LINE_END.search(suffix, begin + CHUNK_CHARACTERS)
        following = end.end() if end else len(suffix)
        pieces.append(suffix[begin:following])
        begin = following
    return pieces
