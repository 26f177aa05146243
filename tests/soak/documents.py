"""A document as the client holds it, with positions in the client's own units.

Written without the server's code: it is what the server is judged by.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

LINE_END = re.compile("\r\n|\r|\n")

UTF_8, UTF_16, UTF_32 = "utf-8", "utf-16", "utf-32"


def units(text: str, encoding: str) -> int:
    """Return how many code units of an encoding a text has; a lone surrogate is one of UTF-16 and three of UTF-8."""
    if encoding == UTF_32:
        return len(text)
    if encoding == UTF_16:
        return len(text) + sum(character > "\uffff" for character in text)
    return len(text.encode("utf-8", errors="surrogatepass"))


def line_ends(text: str) -> set[str]:
    """Return the kinds of line end in a text."""
    return set(LINE_END.findall(text))


@dataclass(frozen=True)
class Text:
    """One state of a document: the text and where its lines begin and end."""

    content: str
    encoding: str
    starts: tuple[int, ...]
    """Offset of each line's first character."""
    ends: tuple[int, ...]
    """Offset behind each line's last character, before its line end."""

    @classmethod
    def of(cls, content: str, encoding: str) -> Text:
        """Find the lines of a text: ended by CR LF, LF or CR and by nothing else."""
        found = [match.span() for match in LINE_END.finditer(content)]
        starts = (0, *(end for _, end in found))
        return cls(content, encoding, starts, (*(start for start, _ in found), len(content)))

    def position(self, offset: int) -> dict[str, int]:
        """Return the position of an offset, in the client's units; between CR and LF it is the line's end."""
        line = bisect_right(self.starts, offset) - 1
        before = self.content[self.starts[line] : min(offset, self.ends[line])]
        return {"line": line, "character": units(before, self.encoding)}

    def offset(self, position: dict[str, int]) -> int | None:
        """Return the offset of a position, None where the text has no such place or it lies inside a character."""
        line, character = position["line"], position["character"]
        if not 0 <= line < len(self.starts) or character < 0:
            return None
        start, end = self.starts[line], self.ends[line]
        if self.encoding == UTF_32 or self.content[start:end].isascii():
            return start + character if character <= end - start else None
        for offset in range(start, end + 1):
            if character <= 0:
                return offset if character == 0 else None
            if offset < end:
                character -= units(self.content[offset], self.encoding)
        return None

    def line_of(self, offset: int) -> tuple[int, int]:
        """Return the first and last offset of the line that holds an offset, without its line end."""
        line = bisect_right(self.starts, offset) - 1
        return self.starts[line], self.ends[line]

    def whole_character(self, offset: int) -> int:
        """Return the offset, moved back where it lies between CR and LF: no editor puts a cursor there."""
        return min(offset, self.line_of(offset)[1])


class ClientDocument:
    """A document that the client has open. `state` counts its changes, `version` is what the server is told."""

    def __init__(self, uri: str, language: str, content: str, encoding: str, line_end: str | None = "\n") -> None:
        self.uri, self.language, self.line_end = uri, language, line_end
        self.text = Text.of(content, encoding)
        self.version: int | None = 1
        self.state = 0
        self.seen_state = 0
        """The last state that the server has certainly read."""
        self.closed = False
        self.cursor = len(content)
        self.notebook: str | None = None
        self.before: str | None = None
        """The content before the last change, for undoing it."""

    @property
    def content(self) -> str:
        """The text as a string."""
        return self.text.content

    def replace(self, start: int, end: int, new: str) -> dict[str, Any]:
        """Replace a part of the text and return LSP's change event for it; the cursor goes behind the new text."""
        content = self.content
        change = {"range": {"start": self.text.position(start), "end": self.text.position(end)}, "text": new}
        self.before = content
        self.text = Text.of(content[:start] + new + content[end:], self.text.encoding)
        self.state += 1
        self.cursor = start + len(new)
        return change

    def set_content(self, content: str) -> dict[str, Any]:
        """Replace the whole text and return LSP's change event for it."""
        self.replace(0, len(self.content), content)
        self.cursor = len(content)
        return {"text": content}

    def whole(self) -> dict[str, Any]:
        """Return the change event of a client that always sends the whole text."""
        return {"text": self.content}

    def close(self) -> None:
        """Note that the server has been told to forget the document."""
        self.closed = True
        self.state += 1
