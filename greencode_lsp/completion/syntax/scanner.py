"""Reading a text for its strings, comments, brackets and tags, from any state on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from greencode_lsp.completion.syntax.tables import (
    BRACKETS,
    ENDED_BY,
    HOLE,
    OPENERS,
    OPTIONAL_ENDS,
    REGEX_LITERAL,
    TAG_PATTERN,
    TEXT_PATTERN,
    VOID_ELEMENTS,
    Syntax,
)

Stack = tuple[str, ...]
"""What is open, outermost first: a bracket, the name of a string form, the opening of a comment, `<name` inside a tag
and `<name>` inside an element."""

LINE_COMMENT = "//…"
MARKUP_COMMENT = "<!--"
CHUNK_CHARACTERS = 4096
LONGEST_READ = 512 * 1024
"""Characters before a cursor that are read; what is open before them is taken to be closed."""

HEREDOC = "heredoc "
"""How the mark of a heredoc begins; the name that ends it follows."""

CASE_LABEL = re.compile(r"(?:^|[\n;])[ \t]*[^\s()]+(?:[ \t]*\|[ \t]*[^\s()]+)*$")

LINE_BREAK = re.compile(r"[\r\n]")
MARKUP_COMMENT_END = re.compile("-->")
VALUE_BEFORE = re.compile(r"(?:^|[=(\[{,;:!&|?+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|void|yield|await))\s*$")
"""What stands in JavaScript before a value, so that a slash begins a regular expression and `<` a tag."""

NAME = re.compile(r"[A-Za-z_$!?][\w.$:-]*|")
RAW_ELEMENTS = ("<script>", "<style>")


@dataclass(frozen=True)
class Scan:
    """What is open behind a text, and what went wrong in it: marks that nothing closed or that nothing had opened."""

    stack: Stack
    problems: tuple[str, ...]


def scan(text: str, syntax: Syntax, stack: Stack = (), start: int = 0) -> Scan:
    """Read `text` from `start` on, where `stack` is open; what stands before `start` on its line is only looked at."""
    reader = _Reader(text, syntax, list(stack))
    reader.read(start)
    return Scan(tuple(reader.stack), tuple(reader.problems))


def open_behind(text: str, syntax: Syntax) -> Stack:
    """Return what is open behind a text. Pieces that were read before are not read again."""
    stack: Stack = ()
    begin = _first_piece(text)
    while len(text) - begin > 2 * CHUNK_CHARACTERS:
        end = text.find("\n", begin + CHUNK_CHARACTERS) + 1
        if not end:
            break
        stack = read_piece(text[begin:end], syntax, stack).stack
        begin = end
    return scan(text[begin:], syntax, stack).stack


def _first_piece(text: str) -> int:
    """Return where reading begins: at the beginning, except in a text that is too long for that."""
    if len(text) <= LONGEST_READ:
        return 0
    skipped = (len(text) - LONGEST_READ) // CHUNK_CHARACTERS * CHUNK_CHARACTERS
    return text.find("\n", skipped) + 1


@lru_cache(maxsize=512)
def read_piece(text: str, syntax: Syntax, stack: Stack) -> Scan:
    """Read a piece of a document that is likely to be read again."""
    return scan(text, syntax, stack)


class _Reader:
    """One reading of a text."""

    def __init__(self, text: str, syntax: Syntax, stack: list[str]) -> None:
        self.text, self.syntax, self.stack = text, syntax, stack
        self.problems: list[str] = []

    def read(self, position: int) -> None:
        while position < len(self.text):
            top = self.stack[-1] if self.stack else None
            if top == LINE_COMMENT:
                position = self._line_comment(position)
            elif top in self.syntax.string_forms:
                position = self._string(position, top)
            elif top is not None and top.startswith(HEREDOC):
                position = self._heredoc(position, top.removeprefix(HEREDOC))
            elif top == MARKUP_COMMENT or top in self.syntax.comment_ends:
                position = self._comment(position, top)
            elif top is not None and top[0] == "<" and top[-1] != ">":
                position = self._tag(position, top)
            elif self._in_text(top):
                position = self._markup(position)
            else:
                position = self._code(position)

    def _in_text(self, top: str | None) -> bool:
        if top is None:
            return self.syntax.markup
        return top[0] == "<" and top not in RAW_ELEMENTS

    def _line_comment(self, position: int) -> int:
        end = LINE_BREAK.search(self.text, position)
        if end is None:
            return len(self.text)
        self.stack.pop()
        return end.end()

    def _comment(self, position: int, opening: str) -> int:
        ends = self.syntax.comment_ends.get(opening) or MARKUP_COMMENT_END
        end = ends.search(self.text, position)
        if end is None:
            return len(self.text)
        self.stack.pop()
        return end.end()

    def _string(self, position: int, name: str) -> int:
        for match in self.syntax.string_forms[name].pattern.finditer(self.text, position):
            kind = match.lastgroup
            if kind == "skip":
                continue
            if kind == "hole":
                self.stack.append(HOLE)
            elif kind == "broken":
                self._give_up_string()
                return match.start()
            else:
                self.stack.pop()
            return match.end()
        return len(self.text)

    def _heredoc(self, position: int, name: str) -> int:
        end = re.compile(rf"^[ \t]*{name}\b", re.MULTILINE).search(self.text, position)
        if end is None:
            return len(self.text)
        self.stack.pop()
        return end.end()

    def _give_up_string(self) -> None:
        """End a string that reached the end of its line without being closed."""
        self.problems.append(self.stack.pop())

    def _code(self, position: int) -> int:
        for match in self.syntax.code_pattern.finditer(self.text, position):
            kind = match.lastgroup
            assert kind is not None
            if kind == "open":
                self.stack.append(match.group())
            elif kind == "shut":
                if self._close(OPENERS[match.group()], match.start()):
                    return match.end()
            elif kind in ("whole", "literal"):
                if self._ends_string_around(match.group()[-1]):
                    return match.start() + 1
            elif kind == "line":
                if match.end() == len(self.text):
                    self.stack.append(LINE_COMMENT)
            elif kind == "heredoc":
                self.stack.append(HEREDOC + match.group().strip("<~- \t\"'"))
                return match.end()
            elif kind == "block":
                self.stack.append(match.group())
                return match.end()
            elif kind == "endtag":
                self._end_element(match.group()[2:-1].strip())
                return match.end()
            elif kind == "tag":
                if VALUE_BEFORE.search(self.text[max(match.start() - 40, 0) : match.start()]):
                    return self._begin_tag(match.end())
            elif kind == "stray":
                self.problems.append(match.group())
            elif kind == "slash":
                literal = REGEX_LITERAL.match(self.text, match.start())
                if literal and VALUE_BEFORE.search(self.text[max(match.start() - 40, 0) : match.start()]):
                    return literal.end()
            else:  # a string's opening
                form = self.syntax.strings[int(kind[1:])]
                if not self._ends_string_around(form.close):
                    self.stack.append(form.name)
                return match.end()
        return len(self.text)

    def _ends_string_around(self, quote: str) -> bool:
        """Take a quote inside a hole of a one-line string of the same quotes for the end of that string."""
        if HOLE not in self.stack:
            return False
        hole = len(self.stack) - 1 - self.stack[::-1].index(HOLE)
        form = self.syntax.string_forms.get(self.stack[hole - 1]) if hole else None
        if form is None or form.multiline or form.close != quote:
            return False
        self.problems.extend(self.stack[hole:])
        del self.stack[hole - 1 :]
        return True

    def _close(self, opener: str, position: int) -> bool:
        """Close a bracket, with those in it that nobody closed; say whether that ends this stretch of code."""
        if self.syntax.case_labels and opener == "(" and "(" not in self.stack and self._is_label(position):
            return False
        openers = (opener, HOLE) if opener == "{" else (opener,)
        for depth in range(len(self.stack) - 1, -1, -1):
            if self.stack[depth] in openers:
                self.problems.extend(self.stack[depth + 1 :])
                del self.stack[depth:]
                top = self.stack[-1] if self.stack else None
                return top is not None and top not in BRACKETS and top != HOLE
            if self.stack[depth] not in BRACKETS:
                break  # an element or a string's hole holds what is in it
        self.problems.append(BRACKETS[opener])
        return False

    def _is_label(self, position: int) -> bool:
        """Say whether what stands before a position may be the pattern of a `case`."""
        return CASE_LABEL.search(self.text[max(position - 80, 0) : position]) is not None

    def _markup(self, position: int) -> int:
        jsx = self.syntax.jsx
        for match in TEXT_PATTERN.finditer(self.text, position):
            kind = match.lastgroup
            if kind == "stray":
                self.problems.append(match.group())
            elif kind == "comment":
                self.stack.append(MARKUP_COMMENT)
            elif kind == "endtag":
                self._end_element(match.group()[2:-1].strip())
            elif kind == "tag":
                return self._begin_tag(match.end())
            elif not jsx:
                continue
            else:
                self.stack.append("{")
            return match.end()
        return len(self.text)

    def _begin_tag(self, position: int) -> int:
        name = NAME.match(self.text, position)
        assert name is not None
        begun = self._folded(name.group())
        while self.syntax.html and self.stack and begun in ENDED_BY.get(self.stack[-1][1:-1], ()):
            self.stack.pop()
        self.stack.append("<" + begun)
        return name.end()

    def _tag(self, position: int, opening: str) -> int:
        for match in TAG_PATTERN.finditer(self.text, position):
            kind = match.lastgroup
            if kind == "whole":
                continue
            if kind == "stray":
                self.problems.append(match.group())
                continue
            if kind == "quote":
                self.stack.append("=" + match.group())
                return match.end()
            if kind == "open":
                if not self.syntax.jsx:
                    continue
                self.stack.append("{")
                return match.end()
            self.stack.pop()
            if kind == "broken":
                self.problems.append(opening)
                return match.start()
            if kind == "end" and not self._is_void(opening[1:]):
                self.stack.append(opening + ">")
            return match.end()
        return len(self.text)

    def _end_element(self, name: str) -> None:
        mark = f"<{self._folded(name)}>"
        if mark not in self.stack:
            self.problems.append(f"</{name}>")
            return
        depth = len(self.stack) - 1 - self.stack[::-1].index(mark)
        left = self.stack[depth + 1 :]
        self.problems.extend(other for other in left if not (self.syntax.html and other[1:-1] in OPTIONAL_ENDS))
        del self.stack[depth:]

    def _is_void(self, name: str) -> bool:
        """Say whether an element has no content: a declaration, an instruction, or by HTML's rules."""
        return name.startswith(("!", "?")) or (self.syntax.html and name in VOID_ELEMENTS)

    def _folded(self, name: str) -> str:
        return name.lower() if self.syntax.html else name
