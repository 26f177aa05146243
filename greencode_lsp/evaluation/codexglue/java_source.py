"""Java source that reads naturally, from the data set's tokens, which hold no line ends at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from greencode_lsp.evaluation.codexglue.java_spacing import JavaLine
from greencode_lsp.evaluation.codexglue.literals import PROMPT_FILL, restore

INDENT = "    "

AFTER_BRACE = frozenset({"else", "catch", "finally", "while", ")", ";", ",", "."})
"""What stands on the line of the closing brace before it."""

BEFORE_ARRAY = frozenset({"]", "=", "{", ",", "("})
"""A brace behind one of these opens an array's values, not a block."""


@dataclass
class _Formatter:
    """Cuts tokens into lines at `;`, `{` and `}`, with the level of each."""

    lines: list[tuple[int, list[str]]] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    level: int = 0
    parentheses: int = 0
    braces: list[tuple[bool, int]] = field(default_factory=list)

    def take(self, token: str, after: str | None) -> None:
        """Take a token, knowing the one after it."""
        if token == "{":
            self._open()
        elif token == "}":
            self._close(after)
        else:
            self.line.append(token)
            self.parentheses = max(0, self.parentheses + (token == "(") - (token == ")"))
            if self._ends(token, after):
                self._end_line()

    def _open(self) -> None:
        in_array = bool(self.line) and self.line[-1] in BEFORE_ARRAY
        self.braces.append((in_array, self.parentheses))
        self.line.append("{")
        if not in_array:
            self._end_line()
            self.level, self.parentheses = self.level + 1, 0

    def _close(self, after: str | None) -> None:
        in_array, parentheses = self.braces.pop() if self.braces else (False, 0)
        if in_array:
            self.line.append("}")
            return
        self._end_line()
        self.level, self.parentheses = max(0, self.level - 1), parentheses
        self.line = ["}"]
        if after not in AFTER_BRACE:
            self._end_line()

    def _ends(self, token: str, after: str | None) -> bool:
        line = self.line
        if token == ";":
            return self.parentheses == 0
        if line[0] == "@" and len(line) > 1 and line[1] != "interface" and self.parentheses == 0:
            return after not in ("(", ".", None) and (
                token == ")" or all(part in "@." or part.isidentifier() for part in line)
            )
        return line[0] in ("case", "default") and token == ":"

    def _end_line(self) -> None:
        if self.line:
            self.lines.append((self.level, self.line))
        self.line = []


def java_source(tokens: Sequence[str], fill: Mapping[str, str] = PROMPT_FILL) -> str:
    """Return the text of a file's beginning. It ends where the tokens end, which may be within a line."""
    formatter = _format(tokens)
    text: list[str] = []
    kind_before = ""
    for level, line in formatter.lines:
        kind = _kind(level, line)
        if text and _is_apart(kind, kind_before, level):
            text.append("")
        text.append(INDENT * level + _join(line, fill))
        kind_before = kind
    whole = "\n".join(text) + ("\n" if text else "")
    return whole + (INDENT * formatter.level + _join(formatter.line, fill) if formatter.line else "")


def java_rest(before: Sequence[str], rest: Sequence[str], fill: Mapping[str, str]) -> str:
    """Return the text of tokens that go on the line which the tokens before them leave open."""
    tail = _format(before).line
    spaced = JavaLine().spaced([*(restore(token, PROMPT_FILL) for token in tail), *(restore(t, fill) for t in rest)])
    return "".join(spaced[len(tail) :])


def ends_line(tokens: Sequence[str]) -> bool:
    """Say whether what comes behind these tokens begins a line."""
    return not _format(tokens).line


def _format(tokens: Sequence[str]) -> _Formatter:
    formatter = _Formatter()
    for index, token in enumerate(tokens):
        formatter.take(token, tokens[index + 1] if index + 1 < len(tokens) else None)
    return formatter


def _join(line: Sequence[str], fill: Mapping[str, str]) -> str:
    return "".join(JavaLine().spaced([restore(token, fill) for token in line]))


def _kind(level: int, line: Sequence[str]) -> str:
    if line[0] in ("package", "import"):
        return line[0]
    if line == ["}"]:
        return "close"
    return "member" if level == 1 and line[-1] == "{" else "other"


def _is_apart(kind: str, before: str, level: int) -> bool:
    """Say whether a blank line stands between two lines."""
    if kind == before:
        return False
    return "package" in (kind, before) or before == "import" or (before == "close" and level == 1)
