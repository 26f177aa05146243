"""The brackets, quotes and tags of a text and the errors of its syntax, as tree-sitter's leaves tell them.

Nothing of the server's own reading of code is used here: what it gets wrong must not be wrong in the same way twice.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from greencode_lsp.evaluation.editing.languages import OPTIONAL_END_TAGS, VOID_TAGS, parser_of

Role = Literal["open", "close", "either"]

BRACKETS: dict[str, tuple[str, Role]] = {
    "(": ("(", "open"),
    "[": ("[", "open"),
    "{": ("{", "open"),
    "${": ("{", "open"),
    ")": ("(", "close"),
    "]": ("[", "close"),
    "}": ("{", "close"),
}
CLOSERS = {"(": ")", "[": "]", "{": "}"}
QUOTES = ('"', "'", "`", '"""', "'''")
OPENING_TAGS = ("start_tag", "jsx_opening_element")
CLOSING_TAGS = ("end_tag", "erroneous_end_tag", "jsx_closing_element")
TAG_NODES = (*OPENING_TAGS, *CLOSING_TAGS, "self_closing_tag", "jsx_self_closing_element")
NAMES = ("tag_name", "erroneous_end_tag_name", "identifier", "nested_identifier", "member_expression")
NO_QUOTES = ("lifetime", "jsx_text", "text")
STYLE_TOKEN = re.compile(r"/\*.*?\*/|\"[^\"\n]*\"|'[^'\n]*'|[()\[\]{}]", re.DOTALL)
YAML_TOKEN = re.compile(r"(?<!\S)#.*|\"(?:\\.|[^\"\\])*\"|(?<!\w)'(?:''|[^'])*'|\w'|[\[\]{}\"']")
STRAY_MARK = re.compile(r"[()\[\]{}\"'`]")


@dataclass(frozen=True)
class Mark:
    """A bracket, a quote or a tag. `kind` is its opening character or `<name>`; offsets are in characters.

    Of a tag the opening mark is its last character, and the closing mark its first.
    """

    start: int
    end: int
    kind: str
    role: Role

    @property
    def is_tag(self) -> bool:
        """Whether it opens or closes an element, not a bracket, a quote or a tag itself."""
        return self.kind.startswith("<") and self.kind != "<"


@dataclass(frozen=True)
class Leaf:
    """A token of the grammar, or text that fits nowhere (`ERROR`). `inside` is the type of the node that it is in."""

    start: int
    end: int
    type: str
    inside: str


@dataclass(frozen=True)
class SyntaxReading:
    """What a text consists of.

    `errors` counts outermost ERROR nodes, MISSING nodes and end tags without a beginning, those of scripts in HTML too.
    """

    text: str
    marks: tuple[Mark, ...]
    leaves: tuple[Leaf, ...]
    errors: int

    @cached_property
    def pairs(self) -> dict[int, int]:
        """Map the index of each mark that has a partner to that of its partner, in both directions."""
        return _match(self.marks)

    @cached_property
    def unmatched(self) -> tuple[Mark, ...]:
        """Marks without a partner."""
        return tuple(mark for index, mark in enumerate(self.marks) if index not in self.pairs)

    @cached_property
    def _leaf_starts(self) -> list[int]:
        return [leaf.start for leaf in self.leaves]

    def leaf_at(self, offset: int) -> Leaf | None:
        """Return the leaf that the character at an offset belongs to."""
        index = bisect_right(self._leaf_starts, offset) - 1
        return self.leaves[index] if index >= 0 and self.leaves[index].end > offset else None


def read_syntax(text: str, grammar: str) -> SyntaxReading:
    """Read a text by a grammar; raise `EvaluationError` where that is not installed."""
    data = text.encode("utf-8", errors="replace")
    reader = _Reader(data, grammar)
    root = parser_of(grammar).parse(data).root_node
    reader.read(root)
    if grammar == "yaml":
        reader.read_rest(root.end_byte)
    offsets = None if text.isascii() else _character_offsets(text)
    if offsets is None:
        return SyntaxReading(text, tuple(reader.marks), tuple(reader.leaves), reader.errors)
    marks = tuple(Mark(offsets[m.start], offsets[m.end], m.kind, m.role) for m in reader.marks)
    leaves = tuple(Leaf(offsets[leaf.start], offsets[leaf.end], leaf.type, leaf.inside) for leaf in reader.leaves)
    return SyntaxReading(text, marks, leaves, reader.errors)


def _character_offsets(text: str) -> list[int]:
    offsets = []
    for index, character in enumerate(text):
        offsets += [index] * len(character.encode("utf-8", errors="replace"))
    return [*offsets, len(text)]


def _match(marks: Sequence[Mark]) -> dict[int, int]:
    pairs: dict[int, int] = {}
    waiting: list[int] = []
    for index, mark in enumerate(marks):
        kinds = [marks[other].kind for other in waiting]
        closes = mark.role == "close" or (mark.role == "either" and kinds[-1:] == [mark.kind])
        if not closes:
            waiting.append(index)
        elif mark.kind in kinds:
            while marks[waiting[-1]].kind != mark.kind:
                waiting.pop()
            other = waiting.pop()
            pairs[index], pairs[other] = other, index
    return pairs


class _Reader:
    """Walks one tree; offsets are in bytes."""

    def __init__(self, data: bytes, grammar: str) -> None:
        self.data, self.grammar = data, grammar
        self.marks: list[Mark] = []
        self.leaves: list[Leaf] = []
        self.errors = 0

    def read(self, root: Any) -> None:
        todo: list[tuple[Any, bool, bool]] = [(root, False, False)]
        while todo:
            node, in_error, left = todo.pop()
            if left:
                self._leave(node)
                continue
            self._enter(node, in_error)
            todo.append((node, in_error, True))
            todo.extend((child, in_error or node.is_error, False) for child in reversed(node.children))
        self.marks.sort(key=lambda mark: mark.start)

    def read_rest(self, start: int) -> None:
        """Add the marks of what YAML's grammar leaves unread behind the first error."""
        for found in YAML_TOKEN.finditer(self.data[start:].decode("utf-8", errors="ignore")):
            if len(found[0]) == 1:
                kind, role = BRACKETS.get(found[0], (found[0], "either"))
                before = len(found.string[: found.start()].encode())
                self._add(start + before, start + before + 1, kind, role)

    def _enter(self, node: Any, in_error: bool) -> None:
        if node.is_missing or (node.is_error and not in_error) or node.type == "erroneous_end_tag":
            self.errors += 1
        if node.is_error:
            self._stray_marks(node)
        if node.type in CLOSING_TAGS:
            begin = self._begin(node)
            self._add(begin, begin + 1, f"<{self._name(node)}>", "close")
        if node.child_count == 0 and node.end_byte > node.start_byte:
            inside = node.parent.type if node.parent is not None else ""
            self.leaves.append(Leaf(self._begin(node), node.end_byte, node.type, inside))
            self._leaf(node, inside)

    def _leave(self, node: Any) -> None:
        if node.type in OPENING_TAGS and self._needs_end_tag(node):
            self._add(node.end_byte - 1, node.end_byte, f"<{self._name(node)}>", "open")
        elif node.type == "block_scalar":  # YAML's grammar has no token for what stands in it
            self.leaves.append(Leaf(node.children[-1].end_byte, node.end_byte, node.type, node.type))

    def _leaf(self, node: Any, inside: str) -> None:
        start, end, type = self._begin(node), node.end_byte, node.type
        if type in BRACKETS:
            self._add(start, end, *BRACKETS[type])
        elif inside in TAG_NODES and type in ("<", "</"):
            self._add(start, end, "<", "open")
        elif inside in TAG_NODES and type in (">", "/>"):
            self._add(start, end, "<", "close")
        elif inside == "ERROR" and self.grammar == "html" and type in ("<", "</", ">", "/>"):
            self._add(start, end, "<", "open" if "<" in type else "close")
        elif type in ("string_start", "string_end"):
            quote = self._text(node).lstrip("bBfFrRuUtT")
            self._add(start, end, quote, "open" if type == "string_start" else "close")
        elif type.lstrip("LuU8") in QUOTES and inside not in NO_QUOTES:
            self._add(start, end, type.lstrip("LuU8"), self._role_of_quote(node))
        elif type == "raw_text":
            self._embedded(node, inside)

    def _role_of_quote(self, node: Any) -> Role:
        if node.parent is None or node.parent.is_error:
            return "either"
        return "open" if node.parent.children[0] == node else "close"

    def _stray_marks(self, error: Any) -> None:
        """Add the brackets and quotes of an error that tree-sitter skipped: they belong to none of its children."""
        bounds = [error.start_byte]
        for child in error.children:
            bounds += [child.start_byte, child.end_byte]
        bounds.append(error.end_byte)
        for start, end in zip(bounds[::2], bounds[1::2], strict=True):
            for found in STRAY_MARK.finditer(self.data[start:end].decode("utf-8", errors="replace")):
                kind, role = BRACKETS.get(found[0], (found[0], "either"))
                self._add(start + found.start(), start + found.end(), kind, role)

    def _embedded(self, node: Any, inside: str) -> None:
        """Read the script or the style sheet in an HTML element."""
        text = self._text(node)
        if inside == "script_element":
            script = _Reader(text.encode(), "javascript")
            script.read(parser_of("javascript").parse(text.encode()).root_node)
            found, self.errors = script.marks, self.errors + script.errors
        else:
            found = list(_style_marks(text))
        for mark in found:
            self._add(node.start_byte + mark.start, node.start_byte + mark.end, mark.kind, mark.role)

    def _needs_end_tag(self, node: Any) -> bool:
        name = self._name(node).lower()
        if self.grammar != "html":
            return True
        element = node.parent
        ended = element is not None and any(child.type == "end_tag" for child in element.children)
        return not VOID_TAGS.fullmatch(name) and (ended or not OPTIONAL_END_TAGS.fullmatch(name))

    def _begin(self, node: Any) -> int:
        """Return where a node begins; the grammars of JSX count the blanks before a tag to it."""
        begin = int(node.start_byte)
        if node.type in ("<", "</", *CLOSING_TAGS):
            text = self.data[begin : node.end_byte]
            begin += len(text) - len(text.lstrip())
        return begin

    def _name(self, node: Any) -> str:
        return next((self._text(child) for child in node.children if child.type in NAMES), "")

    def _text(self, node: Any) -> str:
        return self.data[node.start_byte : node.end_byte].decode("utf-8", errors="replace")

    def _add(self, start: int, end: int, kind: str, role: Role) -> None:
        self.marks.append(Mark(start, end, kind, role))


def _style_marks(text: str) -> Iterator[Mark]:
    for found in STYLE_TOKEN.finditer(text):
        if found[0] in BRACKETS:
            yield Mark(found.start(), found.end(), *BRACKETS[found[0]])
