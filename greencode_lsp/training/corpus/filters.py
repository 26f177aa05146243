"""Which files are worth learning from: source that a person wrote, of a readable size and shape."""

import re

LEAST_CHARACTERS, MOST_CHARACTERS = 200, 100_000
MOST_MEAN_LINE, MOST_LINE = 100, 1000
LEAST_ALPHABETIC = 0.25
"""The limits on lines are those of Codex (arXiv 2107.03374, section 3.1)."""

_HEAD = 1500
_GENERATED = re.compile(
    r"auto-?\s?generated|(?:automatically|machine)[- ]generated|@generated\b|__esModule|transpiled (?:by|from)"
    r"|\b(?:file|code|class|module|parser|was|were)\b[^\n]{0,40}\bgenerated (?:by|from|with|using)\b"
    r"|\bdo not (?:edit|modify)\b|\bdon't edit\b",
    re.IGNORECASE,
)
_COPYLEFT = re.compile(r"GNU\s+(Lesser|Library|Affero)?\s*General\s+Public|GPL-?[23]|CDDL", re.S)
_LEGAL = re.compile(r"copyright|licen[cs]e|\(c\)|spdx", re.IGNORECASE)
_BLOCK = re.compile(r"\s*/\*.*?\*/[ \t]*\n?", re.S)
_HASH_LINES = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)+")
_SLASH_LINES = re.compile(r"(?:[ \t]*(?://[^\n]*)?\n)+")


class UnwantedFileError(Exception):
    """A file that is left out. Its message is why, in the words of the corpus's counts."""


def clean(data: bytes | None, language: str) -> str:
    """Return a file's text without its licence header; raise `UnwantedFileError` when it is not worth learning from.

    `data` is None for a file that was too large to be read.
    """
    if data is None:
        raise UnwantedFileError("too long")
    text = _decoded(data)
    head = text[:_HEAD]
    if _GENERATED.search(head):
        raise UnwantedFileError("generated")
    if _COPYLEFT.search(head):
        raise UnwantedFileError("not permissive")
    text = without_licence_header(text, language)
    if len(text) < LEAST_CHARACTERS:
        raise UnwantedFileError("too short")
    if len(text) > MOST_CHARACTERS:
        raise UnwantedFileError("too long")
    lines = text.splitlines()
    if len(text) / len(lines) > MOST_MEAN_LINE or max(map(len, lines)) > MOST_LINE:
        raise UnwantedFileError("long lines")
    if sum(map(str.isalpha, text)) < LEAST_ALPHABETIC * len(text):
        raise UnwantedFileError("not alphabetic")
    return text


def without_licence_header(text: str, language: str) -> str:
    """Return the text without a leading comment about copyright: the same words in thousands of files teach nothing."""
    patterns = (_HASH_LINES,) if language == "python" else (_SLASH_LINES, _BLOCK)
    for pattern in patterns:
        found = pattern.match(text)
        if found and _LEGAL.search(found[0]):
            return text[found.end() :].lstrip("\n")
    return text


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnwantedFileError("not UTF-8") from None
    if "\0" in text:
        raise UnwantedFileError("not UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")
