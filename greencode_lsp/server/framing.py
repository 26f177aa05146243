"""LSP's base protocol: bytes from the client cut into the bodies of messages.

Header names are case-insensitive and every header but Content-Length is skipped, as RFC 9110 says for HTTP. After a
header that cannot be read, the next line that ends in a Content-Length begins a message again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LARGEST_BODY = 256 * 2**20
"""Bytes. A length beyond this is a broken header: to wait for so much would be to hear nothing any more."""

LONGEST_HEADER = 2**16
"""Bytes of one line. Of a longer one, only the end is kept: it is a body whose header was lost."""

# Not only at the beginning of a line: behind a body whose length was wrong the next header follows on the same line.
CONTENT_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d{1,12})[ \t]*\r?\n$", re.IGNORECASE)
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:.*\n$", re.DOTALL)
"""Its name in group 1. No JSON object ends in a character that a name may have."""


@dataclass(frozen=True)
class Unreadable:
    """What was wrong with bytes that were skipped."""

    problem: str


class Framing:
    """Cuts a stream into bodies."""

    def __init__(self) -> None:
        self._lost = False
        self._buffer = bytearray()
        self._searched = 0
        self._length: int | None = None
        self._in_body = False

    def feed(self, chunk: bytes) -> Iterator[bytes | Unreadable]:
        """Take the next bytes; yield every body that they complete, and once whenever something has to be skipped."""
        self._buffer += chunk
        while True:
            if self._in_body:
                assert self._length is not None
                if len(self._buffer) < self._length:
                    return
                body = self._take(self._length)
                self._length, self._in_body, self._lost = None, False, False
                yield body
                continue
            end = self._buffer.find(b"\n", self._searched)
            if end < 0:
                break
            self._searched = 0
            problem = self._read_header(self._take(end + 1))
            if problem and not self._lost:
                self._lost = True
                yield Unreadable(problem)
        if len(self._buffer) > LONGEST_HEADER:
            del self._buffer[: -LONGEST_HEADER // 2]
        self._searched = len(self._buffer)

    def _read_header(self, line: bytes) -> str:
        """Take a line; return what is wrong with it, "" for nothing."""
        if not line.strip():
            self._in_body = self._length is not None
            return ""
        header = HEADER.match(line)
        if header is not None and header[1].lower() != b"content-length":
            return ""
        found = CONTENT_LENGTH.search(line)
        if found is None:
            return "a header that is not what LSP says was skipped"
        if int(found[1]) > LARGEST_BODY:
            return f"a Content-Length over {LARGEST_BODY} was skipped"
        self._length = int(found[1])
        return "bytes without a header were skipped" if found.start() > 0 else ""

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken
