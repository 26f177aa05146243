"""How deep a Python line is indented, guessed from the lines before it: the data set has dropped all indentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ENDS_BLOCK = frozenset({"return", "raise", "break", "continue", "pass"})

OPENED_BY = {
    "elif": frozenset({"if", "elif"}),
    "else": frozenset({"if", "elif", "for", "while", "try", "except"}),
    "except": frozenset({"try", "except"}),
    "finally": frozenset({"try", "except", "else"}),
}

INNER_CLASSES = frozenset({"Meta", "Media", "Config", "Params"})

SELF = frozenset({"self", "cls", "klass"})


@dataclass(frozen=True)
class Block:
    """An open block: the word that opened it, that line's level, and the names it binds."""

    word: str
    level: int
    names: frozenset[str]


class Indenter:
    """Gives each logical line its level, in reading order."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._before: Sequence[str] = ()
        self._level = 0

    def level(self, line: Sequence[str], after: Sequence[str]) -> int:
        """Return the level of a line; `after` is the next line that is no decorator, where the line is one."""
        level = self._choose(line, after)
        self._blocks = [block for block in self._blocks if block.level < level]
        if line[-1] == ":":
            self._blocks.append(Block(first_word(line), level, bound_names(line)))
        self._before, self._level = line, level
        return level

    def _choose(self, line: Sequence[str], after: Sequence[str]) -> int:
        if not self._before:
            return 0
        if self._before[-1] == ":":
            return self._level + 1
        ended = first_word(self._before) in ENDS_BLOCK
        highest = max(0, self._level - 1) if ended else self._level
        word = first_word(line)
        if word in OPENED_BY:
            return self._header(OPENED_BY[word], highest)
        if self._before[0] == "@":
            return self._level
        if word in ("@", "def"):
            return self._definition(line if word == "def" else after, highest, ended)
        if word == "class":
            return self._class(line)
        if line[:2] == ["if", "__name__"]:
            return 0
        return self._after_end(line, highest) if ended else self._statement(line, highest)

    def _header(self, words: frozenset[str], highest: int) -> int:
        fitting = (block.level for block in reversed(self._blocks) if block.word in words and block.level <= highest)
        return next(fitting, highest)

    def _body_of(self, word: str) -> int | None:
        return next((block.level + 1 for block in reversed(self._blocks) if block.word == word), None)

    def _definition(self, line: Sequence[str], highest: int, ended: bool) -> int:
        name = line.index("def") if "def" in line else -1
        first_parameter = line[name + 3] if 0 <= name < len(line) - 3 else ""
        in_class = self._body_of("class")
        if in_class is None:
            return 0
        if first_parameter in SELF or (highest == in_class and not ended):
            return in_class
        return 0

    def _class(self, line: Sequence[str]) -> int:
        in_class, name = self._body_of("class"), line[1] if len(line) > 1 else ""
        return in_class if in_class is not None and (name in INNER_CLASSES or "DoesNotExist" in name) else 0

    def _after_end(self, line: Sequence[str], highest: int) -> int:
        """Leave the block that has ended, and the whole function too where its own body has ended."""
        level = highest
        while level and any(block.word == "def" and block.level == level for block in self._blocks):
            if any(block.word == "class" and block.level == level - 1 for block in self._blocks):
                break
            level -= 1
        is_method = any(block.word == "def" and block.level == level for block in self._blocks)
        return level - 1 if is_method and level == 1 and "=" not in line else level

    def _statement(self, line: Sequence[str], highest: int) -> int:
        inner = next((block for block in self._blocks if block.level == highest - 1), None)
        if inner is None:
            return highest
        names = {token for token in line if token.isidentifier()}
        if line[0] == "return" and inner.word in ("for", "while") and not names & inner.names:
            return inner.level
        is_attribute = "=" in line or line[0][-1] in "'\""
        if inner.word == "class" and not is_attribute and line[0] not in ("if", "try", "for", "with", "import", "from"):
            return inner.level
        return highest


def first_word(line: Sequence[str]) -> str:
    """Return the word that says what a line is."""
    return line[1] if line[0] == "async" and len(line) > 1 else line[0]


def bound_names(line: Sequence[str]) -> frozenset[str]:
    """Return the names that the header of a block binds."""
    word = first_word(line)
    if word == "for" and "in" in line:
        return frozenset(token for token in line[1 : line.index("in")] if token.isidentifier())
    if word in ("with", "except") and "as" in line[:-1]:
        return frozenset({line[line.index("as") + 1]})
    return frozenset()
