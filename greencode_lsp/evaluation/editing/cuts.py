"""The kinds of places: how each is cut from a file.

A cut takes a piece of the text away and leaves what stands at the cursor then: what a person has typed before it, and
what the editor has closed behind it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from greencode_lsp.evaluation.editing.languages import INDENTED_BLOCKS, MARKUP
from greencode_lsp.evaluation.editing.marks import CLOSERS, TAG_NODES, Leaf
from greencode_lsp.evaluation.editing.source import MOST_REMOVED_LINES, Pair, Source

WORD = re.compile(r"\w+")
QUOTES = ('"', "'", "`")


@dataclass(frozen=True)
class Cut:
    """Text from `start` to `end` gives way to what was `typed` and, behind the cursor, to what the editor `closed`."""

    start: int
    end: int
    typed: str = ""
    closed: str = ""
    variant: str = ""


Cutter = Callable[[Source, random.Random], Cut | None]
"""Cuts one place by chance; None where the file, or what chance chose in it, has no such place."""


def unfinished_line(source: Source, chance: random.Random) -> Cut | None:
    """Cut the rest of a line: behind a token, or inside a word."""
    line = _code_line(source, chance)
    leaves = _leaves_of(source, line) if line is not None else []
    if len(leaves) < 2:
        return None
    leaf = chance.choice(leaves[:-1])
    cursor = leaf.end
    words = [match for match in WORD.finditer(source.text, leaf.start, leaf.end) if len(match[0]) > 3]
    if words and (chance.random() < 0.25 or "comment" in leaf.type):
        word = chance.choice(words)
        cursor = chance.randint(word.start() + 2, word.end() - 1)
    elif source.text[cursor : cursor + 1] == " " and chance.random() < 0.75:
        cursor += 1
    unwritten = source.unwritten(cursor)
    if unwritten is None or unwritten[1] or not source.text[cursor : unwritten[0]].strip():
        return None
    return Cut(cursor, unwritten[0], variant="inside a word" if cursor < leaf.end else "behind a token")


def line_in_block(source: Source, chance: random.Random) -> Cut | None:
    """Empty a line of a block, or all of the block's lines but one, and leave the indentation."""
    if chance.random() < 0.5:
        return _empty_block(source, chance)
    line = _code_line(source, chance)
    if line is None or not source.indentation(line):
        return None
    start, end = source.start_of(line) + len(source.indentation(line)), source.end_of(line)
    opens_block = source.type.language in INDENTED_BLOCKS and source.content(line).rstrip().endswith(":")
    if opens_block or not source.is_self_contained(start, end):
        return None
    return Cut(start, end, variant="one line")


def _empty_block(source: Source, chance: random.Random) -> Cut | None:
    blocks = _blocks(source)
    if not blocks:
        return None
    first, last = chance.choice(blocks)
    start = source.start_of(first) + len(source.indentation(first))
    return Cut(start, source.end_of(last), variant="the block's only line")


def in_quote(source: Source, chance: random.Random) -> Cut | None:
    """Put the cursor into a quote that the editor has closed, alone or with the brackets around it."""
    strings = [pair for pair in source.pairs if pair.open.kind in QUOTES and _on_one_line(source, pair)]
    strings = [pair for pair in strings if pair.close.start - pair.open.end >= 2]
    if not strings:
        return None
    pair = chance.choice(strings)
    cursor = pair.open.end
    words = [match.end() for match in WORD.finditer(source.text, cursor, pair.close.start - 1)]
    if words and chance.random() < 0.25:
        cursor = chance.choice(words)
    unwritten = source.unwritten(cursor)
    if unwritten is None or chance.random() < 0.5:
        return Cut(cursor, pair.close.start, variant="the rest of the line stays")
    return Cut(cursor, unwritten[0], closed=unwritten[1], variant="with the brackets around it")


def in_bracket(source: Source, chance: random.Random) -> Cut | None:
    """Put the cursor into a bracket, or between two tags, that the editor has closed."""
    pairs = [pair for pair in source.pairs if pair.open.kind in CLOSERS or pair.open.is_tag]
    pairs = [pair for pair in pairs if source.text[pair.open.end : pair.close.start].strip()]
    if not pairs:
        return None
    pair = chance.choice(pairs)
    cursor = pair.open.end
    unwritten = source.unwritten(cursor)
    if unwritten is None or (_on_one_line(source, pair) and chance.random() < 0.4):
        if not _on_one_line(source, pair):
            return None
        return Cut(cursor, pair.close.start, variant="the rest of the line stays")
    return Cut(cursor, unwritten[0], closed=unwritten[1], variant="the line ends behind it")


def middle_of_line(source: Source, chance: random.Random) -> Cut | None:
    """Take away an argument, a value, a name, an attribute or the text between tags; the rest of the line stays."""
    ways = [_argument, _argument, _token, _value]
    if source.type.language in MARKUP:
        ways += [_attribute, _between_tags]
    return chance.choice(ways)(source, chance)


def _argument(source: Source, chance: random.Random) -> Cut | None:
    lists = [pair for pair in source.pairs if pair.open.kind in ("(", "[") and _on_one_line(source, pair)]
    pieces = [(pair, _pieces(source, pair)) for pair in lists]
    pieces = [(pair, found) for pair, found in pieces if len(found) > 1]
    if not pieces:
        return None
    _, found = chance.choice(pieces)
    start, end = chance.choice(found)
    return Cut(start, end, variant="an argument")


def _pieces(source: Source, pair: Pair) -> list[tuple[int, int]]:
    """Return where each of a list's elements begins and ends."""
    commas = [leaf for leaf in source.reading.leaves if leaf.type == "," and _directly_in(source, leaf, pair)]
    bounds = [pair.open.end, *(edge for comma in commas for edge in (comma.start, comma.end)), pair.close.start]
    pieces = list(zip(bounds[::2], bounds[1::2], strict=True))
    return [_stripped(source, start, end) for start, end in pieces if source.text[start:end].strip()]


def _token(source: Source, chance: random.Random) -> Cut | None:
    line = _code_line(source, chance)
    leaves = _leaves_of(source, line) if line is not None else []
    names = [leaf for leaf in leaves[:-1] if WORD.fullmatch(source.text, leaf.start, leaf.end)]
    names = [leaf for leaf in names if leaf.inside not in TAG_NODES]
    if not names:
        return None
    leaf = chance.choice(names)
    return Cut(leaf.start, leaf.end, variant="a word")


def _value(source: Source, chance: random.Random) -> Cut | None:
    """Take away what stands between `=` or `:` and the sign that ends the line."""
    line = _code_line(source, chance)
    if line is None:
        return None
    content = source.content(line).rstrip()
    found = re.match(r".*?[=:] ?(?=\S)", content)
    if found is None or content[-1:] not in (";", ",", ")", "]", "}", ">"):
        return None
    start, end = source.start_of(line) + found.end(), source.start_of(line) + len(content) - 1
    if end - start < 2 or not source.is_self_contained(start, end):
        return None
    return Cut(start, end, variant="a value")


def _attribute(source: Source, chance: random.Random) -> Cut | None:
    tags = [pair for pair in source.pairs if pair.open.kind == "<" and _on_one_line(source, pair)]
    found = [
        (pair.open.start + match.start(2), pair.open.start + match.end(2))
        for pair in tags
        for match in re.finditer(
            r"(\s)([\w:-]+=(?:\"[^\"]*\"|'[^']*'|\{[^{}]*\}))", source.text[pair.open.start : pair.close.start]
        )
    ]
    if not found:
        return None
    start, end = chance.choice(found)
    return Cut(start, end, variant="an attribute")


def _between_tags(source: Source, chance: random.Random) -> Cut | None:
    elements = [pair for pair in source.pairs if pair.open.is_tag and _on_one_line(source, pair)]
    texts = [pair for pair in elements if source.text[pair.open.end : pair.close.start].strip()]
    if not texts:
        return None
    pair = chance.choice(texts)
    return Cut(pair.open.end, pair.close.start, variant="between tags")


def end_of_file(source: Source, chance: random.Random) -> Cut | None:
    """Put the cursor below a file that is complete."""
    end = len(source.text)
    last = source.text.rstrip()
    return Cut(len(last), end, typed=source.line_end * chance.choice((1, 1, 2)), variant="a complete file")


def after_block(source: Source, chance: random.Random) -> Cut | None:
    """Put the cursor on a new line below a block, indented as the editor does it."""
    blocks = [last for _, last in _blocks(source, closed=True)]
    if not blocks:
        return None
    line = chance.choice(blocks)
    if source.type.language == "json" and not source.content(line).rstrip().endswith(","):
        return None
    end = source.end_of(line)
    head = source.indentation(line)
    if source.type.language in INDENTED_BLOCKS:
        head = _outer_indentation(source, line)
    return Cut(end, end, typed=source.line_end + head, variant="a new line")


def _outer_indentation(source: Source, line: int) -> str:
    """Return the indentation of the line that the block ending at `line` belongs to."""
    width = len(source.indentation(line))
    for other in range(line - 1, -1, -1):
        content = source.content(other).rstrip()
        if content.strip() and len(source.indentation(other)) < width and source.is_code_line(other):
            return source.indentation(other)
    return ""


def _blocks(source: Source, closed: bool = False) -> list[tuple[int, int]]:
    """Return the first and last line inside of each block that has lines of its own; the closing line if `closed`."""
    blocks: list[tuple[int, int]] = []
    for pair in source.pairs:
        first, last = source.line_at(pair.open.end) + 1, source.line_at(pair.close.start) - 1
        opens = not source.text[pair.open.end : source.end_of(first - 1)].strip()
        closes = not source.text[source.start_of(last + 1) : pair.close.start].strip()
        rest = source.text.find(">", pair.close.start) + 1 if pair.close.is_tag else pair.close.end
        ends = not closed or source.is_self_contained(rest, source.end_of(last + 1))
        if (pair.open.kind in ("{", "[") or pair.open.is_tag) and first <= last and opens and closes and ends:
            blocks.append((first, last + 1 if closed else last))
    if source.type.language in INDENTED_BLOCKS:
        for line in range(len(source.starts)):
            if source.content(line).rstrip().endswith(":") and source.is_code_line(line):
                blocks.append((line + 1, source.block_below(line)))
    return [
        (first, last)
        for first, last in blocks
        if first <= last < first + MOST_REMOVED_LINES and source.content(first).strip()
    ]


def _code_line(source: Source, chance: random.Random) -> int | None:
    line = chance.randrange(len(source.starts))
    return line if source.is_code_line(line) else None


def _leaves_of(source: Source, line: int) -> list[Leaf]:
    start, end = source.start_of(line), source.end_of(line)
    return [leaf for leaf in source.reading.leaves if start <= leaf.start and leaf.end <= end]


def _on_one_line(source: Source, pair: Pair) -> bool:
    return source.line_at(pair.open.start) == source.line_at(pair.close.start)


def _directly_in(source: Source, leaf: Leaf, pair: Pair) -> bool:
    if not pair.open.end <= leaf.start < pair.close.start:
        return False
    inner = [other for other in source.pairs if other.open.start < leaf.start < other.close.start]
    return max(inner, key=lambda other: other.open.start) == pair


def _stripped(source: Source, start: int, end: int) -> tuple[int, int]:
    piece = source.text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))


KINDS: dict[str, Cutter] = {
    "end of line": unfinished_line,
    "line in block": line_in_block,
    "in quote": in_quote,
    "in bracket": in_bracket,
    "middle of line": middle_of_line,
    "end of file": end_of_file,
    "after block": after_block,
}
