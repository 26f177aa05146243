"""Texts to work on: this repository's own files and a few odd ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]

SOURCES = {
    "python": ("greencode_lsp/completion/*.py", "greencode_lsp/server/*.py"),
    "java": ("examples/*.java", "greencode_lsp/evaluation/benchmark/sources/*.java"),
    "c": ("greencode_lsp/engine/packed/kernel/*.[ch]",),
    "typescript": ("vscode-client/src/*.ts",),
    "lua": ("nvim/lua/greencode/*.lua",),
    "json": ("vscode-client/package.json", "vscode-client/tsconfig.json"),
    "markdown": ("README.md", "docs/*.md"),
    "makefile": ("Makefile",),
    "css": ("greencode_lsp/evaluation/report/*.css",),
}

SUFFIXES = {"python": "py", "typescript": "ts", "markdown": "md", "makefile": "mk"}

LINE_ENDS = ("\n", "\r\n", "\r", None)
"""None stands for a text with all of them."""

ODDITIES = ("🙂", "👩‍👩‍👧", "é", "e\u0301", "漢字", "\u2028", "\x0c", "\x85", "אב", "\t", "ß", "\ufeff", "\u200d")

LARGE_BYTES = 5_000_000


@dataclass(frozen=True)
class Sample:
    """A text for a document. `line_end` is None where they are mixed."""

    language: str
    content: str
    line_end: str | None

    @property
    def suffix(self) -> str:
        """The ending of a file name of that language."""
        return SUFFIXES.get(self.language, self.language)


@cache
def files(language: str) -> tuple[str, ...]:
    """Return the texts of all files of a language, in a fixed order."""
    found = sorted(path for pattern in SOURCES[language] for path in ROOT.glob(pattern))
    return tuple(path.read_text("utf-8") for path in found)


def sample(random: Random, line_end: str | None) -> Sample:
    """Return the beginning of some file, with that line end, now and then with odd characters in it."""
    language = random.choice([*SOURCES, "python", "typescript", "java"])
    content = random.choice(files(language))
    lines = content.split("\n")
    content = "\n".join(lines[: random.randint(min(len(lines), 3), min(len(lines), 160))])
    if random.random() < 0.3:
        content = with_oddities(random, content)
    return Sample(language, ended(random, content, line_end), line_end)


def with_oddities(random: Random, content: str) -> str:
    """Strew a few characters into a text that take more than one unit or look like line ends."""
    for _ in range(random.randint(1, 5)):
        at = random.randint(0, len(content))
        content = content[:at] + random.choice(ODDITIES) + content[at:]
    return content


def ended(random: Random, content: str, line_end: str | None) -> str:
    """Give a text with LF other line ends; None mixes them."""
    if line_end is not None:
        return content.replace("\n", line_end)
    first, *rest = content.split("\n")
    return first + "".join(random.choice(("\n", "\r\n", "\r")) + line for line in rest)


def typed_text(random: Random, language: str, line_end: str) -> str:
    """Return a piece that somebody might type next: a few lines, or part of one, of a file of the language."""
    lines = random.choice(files(language)).split("\n")
    at = random.randrange(len(lines))
    piece = "\n".join(lines[at : at + random.choice((1, 1, 1, 2, 4))])
    if random.random() < 0.1:
        piece += random.choice(ODDITIES)
    return piece.replace("\n", line_end) or "x"


def large(random: Random) -> Sample:
    """Return a file of 5 MB."""
    content = random.choice(files("python"))
    return Sample("python", content * (LARGE_BYTES // len(content) + 1), "\n")


def long_line(random: Random) -> Sample:
    """Return a file that has one line of some hundred kilobytes, as minified code has."""
    content = "".join(random.choice(files("typescript")).split("\n"))
    return Sample("typescript", content * (random.randint(50, 500) * 1000 // len(content) + 1), "\n")


def binary(random: Random) -> Sample:
    """Return what an editor makes of a binary file."""
    content = "".join(chr(random.randrange(256)) for _ in range(random.randint(100, 20_000)))
    return Sample("plaintext", "\x7fELF\0\0\0" + content, None)


def surrogates(random: Random) -> Sample:
    """Return a text with halves of surrogate pairs, as JavaScript's strings may hold."""
    content = random.choice(files("java"))[:2000]
    for _ in range(4):
        at = random.randint(0, len(content))
        content = content[:at] + random.choice(("\ud83d", "\ude42", "\udfff")) + content[at:]
    return Sample("java", content, "\n")


def blank(random: Random) -> Sample:
    """Return a text without anything in it."""
    return Sample("python", random.choice(("", "\n", "\r\n\r\n", "   ", "\t\n")), None)
