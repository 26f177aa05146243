"""Pieces of other files a person has open or has edited lately: what a new line refers to is often defined there.

The pieces stand in front of a prompt. They change only when a person comes to a document from another one, so that a
session keeps what it has computed while they type. (A ring of chunks is llama.vim's idea; there it moves while typing.)
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from greencode_lsp.completion.lines import line_starts, split_lines

PIECE_LINES = 14
PIECES = 24

NEAR_CHARACTERS = 2000
"""Text before the cursor whose words are looked for in other files."""

SAME = 0.9
"""Two pieces that share this part of their lines say the same."""

HASH_COMMENTS = {
    "python",
    "ruby",
    "perl",
    "r",
    "julia",
    "shellscript",
    "yaml",
    "toml",
    "makefile",
    "dockerfile",
    "elixir",
}
DASH_COMMENTS = {"lua", "sql", "haskell"}


@dataclass(frozen=True)
class Piece:
    """Some lines of a document."""

    document: str
    language: str
    path: str
    text: str

    @property
    def lines(self) -> frozenset[str]:
        """The lines that say something."""
        return frozenset(line.strip() for line in self.text.splitlines() if line.strip())


class OtherFiles:
    """The last pieces, newest last, and those that a document sees."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque(maxlen=PIECES)
        self._seen: dict[str, tuple[str, ...]] = {}
        self._here: str | None = None

    def add(self, piece: Piece) -> None:
        """Take a piece; others that say the same, of whatever file, give way."""
        if piece.lines:
            kept = [other for other in self._pieces if similarity(piece.lines, other.lines) < SAME]
            self._pieces = deque([*kept, piece], maxlen=PIECES)

    def seen_from(self, document: str, language: str, path: str, prefix: str) -> tuple[str, ...]:
        """Return what a document sees of others, and its own title; the same until the person was elsewhere.

        Last stands what shares most words with `prefix`, the text before the cursor, and among equals the newest.
        """
        if document != self._here or document not in self._seen:
            self._here = document
            others = [piece for piece in self._pieces if piece.document != document and piece.language == language]
            here = words(prefix[-NEAR_CHARACTERS:])
            others.sort(key=lambda piece: similarity(here, words(piece.text)))
            self._seen[document] = (*map(titled, others), title(language, path)) if others else ()
        return self._seen[document]

    def keep(self, wanted: Callable[[Piece], bool]) -> None:
        """Drop the pieces that are not wanted any more, here and in what documents see."""
        self._pieces = deque(filter(wanted, self._pieces), maxlen=PIECES)
        self._seen.clear()

    def forget(self, document: str) -> None:
        """Drop what a document sees, once it is closed; its pieces stay for the others."""
        self._seen.pop(document, None)


def piece_at(document: str, language: str, path: str, prefix: str, suffix: str) -> Piece:
    """Return the lines around a cursor."""
    above = split_lines(prefix)[-PIECE_LINES // 2 :]
    below = split_lines(suffix)[: PIECE_LINES - len(above) + 1]
    return Piece(document, language, path, ("".join(above) + "".join(below)).strip("\r\n"))


def head_of(document: str, language: str, path: str, text: str) -> Piece:
    """Return the first lines of a document: what it brings in and begins to define."""
    starts = [*line_starts(text), len(text)]
    return Piece(document, language, path, text[: starts[min(PIECE_LINES, len(starts) - 1)]].strip("\r\n"))


def titled(piece: Piece) -> str:
    """Return a piece as it stands in a prompt, under its file's name."""
    return f"{title(piece.language, piece.path)}{piece.text}\n\n"


def title(language: str, path: str) -> str:
    """Return a comment that names a file."""
    comment = "#" if language in HASH_COMMENTS else "--" if language in DASH_COMMENTS else "//"
    return f"{comment} {path.rsplit('/', 1)[-1]}\n"


def words(text: str) -> frozenset[str]:
    """Return the names in a text, and its keywords."""
    return frozenset(re.findall(r"[^\W\d]\w{2,}", text))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of their lines or words that two texts have in common (Jaccard)."""
    return len(one & other) / max(len(one | other), 1)
