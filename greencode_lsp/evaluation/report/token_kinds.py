"""What kind of code a token is, for counting exits by kind."""

from __future__ import annotations

import keyword

JAVA_WORDS = """
abstract assert boolean break byte case catch char class const continue default do double else enum extends final
finally float for if implements import instanceof int interface long native new package private protected public return
short static super switch synchronized this throw throws transient try void volatile while true false null
"""
JAVA_KEYWORDS = frozenset(JAVA_WORDS.split())
PYTHON_KEYWORDS = frozenset(keyword.kwlist)

KINDS = ("identifier", "keyword", "number", "punctuation", "layout")


def kind_of(piece: str, language: str) -> str:
    """Return the kind of what a token brought; a piece of a word counts as identifier."""
    text = piece.strip()
    if not text:
        return "layout"
    if text in (JAVA_KEYWORDS if language == "java" else PYTHON_KEYWORDS):
        return "keyword"
    if text.replace(".", "").isdigit():
        return "number"
    return "identifier" if any(character.isalnum() or character == "_" for character in text) else "punctuation"
