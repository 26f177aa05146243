"""Source text as a lexical stream: no comments, no layout, every string and number the same; and hashes of it.

What overlaps in this form overlaps whatever its formatting, also with data sets that have masked their literals.
"""

import hashlib
import re

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.uint64]

STRING, NUMBER = '"', "0"
_REST = r"(?P<number>\.?\d(?:[eE][+-]?\d|[\w.])*)|(?P<word>(?:[^\W\d]|\$)[\w$]*)|(?P<other>[^\s\w])"
_PYTHON = re.compile(
    r"(?P<comment>\#[^\n]*|\\\n)"
    r'|(?P<string>[bruBRUfF]{0,2}(?:"""(?:\\.|[^\\])*?"""'
    r"|'''(?:\\.|[^\\])*?'''"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])*'))|" + _REST,
    re.S,
)
_C_LIKE = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)"
    r'|(?P<string>"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])*'"
    r"|`(?:\\.|[^`\\])*`)|" + _REST,
    re.S,
)
_BASE = np.uint64(1_000_003)
_values: dict[str, int] = {}


def lex(source: str, language: str) -> list[str]:
    """Return the lexical stream of `source`: `python`, or any language with C's comments and strings."""
    tokens = []
    for match in (_PYTHON if language == "python" else _C_LIKE).finditer(source):
        kind = match.lastgroup
        if kind != "comment":
            tokens.append(STRING if kind == "string" else NUMBER if kind == "number" else match.group())
    return tokens


def is_word(token: str) -> bool:
    """Say whether a lexical token is an identifier or a keyword."""
    return token[0].isalpha() or token[0] in "_$"


def values_of(tokens: list[str]) -> Values:
    """Return a 64-bit value for each token, the same in every process. Shape: [tokens]."""
    return np.fromiter((_value(token) for token in tokens), dtype=np.uint64, count=len(tokens))


def grams(values: Values, width: int) -> Values:
    """Return a hash of every run of `width` tokens. Shape: [tokens - width + 1], empty for shorter streams."""
    count = len(values) - width + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    hashes = np.zeros(count, np.uint64)
    for place in range(width):
        hashes = hashes * _BASE + values[place : place + count]
    return hashes


def _value(token: str) -> int:
    value = _values.get(token)
    if value is None:
        value = int.from_bytes(hashlib.blake2b(token.encode("utf-8", "replace"), digest_size=8).digest(), "little")
        _values[token] = value
    return value
