"""Whether a text fits between what stands before and behind it: no bracket, string or tag worse off than without it."""

from __future__ import annotations

from collections import Counter

from greencode_lsp.completion.lines import LINE_END
from greencode_lsp.completion.syntax.scanner import LINE_COMMENT, MARKUP_COMMENT, Stack, open_behind, scan
from greencode_lsp.completion.syntax.tables import BRACKETS, HOLE, Syntax

WINDOW_CHARACTERS = 4000
"""How much of what follows the cursor is read: what stays open to its end counts as open."""


class Balance:
    """A cursor between two texts. `opened` is what is open there, outermost first."""

    def __init__(self, syntax: Syntax, prefix: str, suffix: str) -> None:
        self.syntax = syntax
        self.opened: Stack = open_behind(prefix, syntax)
        self._line = LINE_END.split(prefix[-400:])[-1]
        end = LINE_END.search(suffix, WINDOW_CHARACTERS) if len(suffix) > WINDOW_CHARACTERS else None
        self._following = suffix[: end.end()] if end else suffix
        self._behind: dict[tuple[Stack, int], Counter[str]] = {}
        self._before = self._left_behind(self.opened, 0)

    def opened_behind(self, text: str) -> Stack:
        """Return what is open behind `text`, written at the cursor."""
        return scan(self._line + text, self.syntax, self.opened, len(self._line)).stack

    def is_kept(self, text: str, replaces: int = 0) -> bool:
        """Say whether writing `text` in place of `replaces` characters leaves nothing open that was not so before."""
        return not self.damage(text, replaces)

    def damage(self, text: str, replaces: int = 0) -> Counter[str]:
        """Return what would be left open, or closed without having been opened, and is not so now."""
        written = scan(self._line + text, self.syntax, self.opened, len(self._line))
        after = self._left_behind(written.stack, replaces)
        after.update(written.problems)
        if self._hides_rest(written.stack, replaces):
            after[LINE_COMMENT] += 1
        return after - self._before

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
        return bool(stack) and stack[-1] in self.syntax.string_forms

    def _hides_rest(self, stack: Stack, replaces: int) -> bool:
        """Say whether a comment would hide the rest of the cursor's line, which is none now."""
        comment = (LINE_COMMENT,)
        rest = LINE_END.split(self._following[replaces:], 1)[0]
        return stack[-1:] == comment and self.opened[-1:] != comment and bool(rest.strip())

    def _left_behind(self, stack: Stack, replaces: int) -> Counter[str]:
        key = (stack, replaces)
        if key not in self._behind:
            rest = scan(self._following[replaces:], self.syntax, stack)
            self._behind[key] = Counter(rest.problems) + Counter(mark for mark in rest.stack if mark != LINE_COMMENT)
        return Counter(self._behind[key])
