"""Checking a GGUF file's header before a library reads it: every count and size against what the file can hold."""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from greencode_lsp.models.bundle import BundleError
from greencode_lsp.reading import UnreadableFileError, check_regular

MOST_KEYS = 4096

MOST_TENSORS = 1 << 16

MOST_ELEMENTS = 1 << 21
"""Of all arrays together. Gemma's 262,144 tokens and 514,906 merges are 1.3 million with their scores and types."""

MOST_NAME_BYTES = 1 << 16

MOST_DIMENSIONS = 4
"""GGML's own limit."""

MOST_ALIGNMENT = 1 << 16

STRING, ARRAY = 8, 9

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a plain value by its kind (`enum gguf_metadata_value_type`); kind 4 is an unsigned whole number."""

UNSIGNED = 4


class _HeaderError(Exception):
    """What the header says that cannot be."""


@dataclass(frozen=True)
class _Tensor:
    name: str
    byte_count: int
    offset: int


def check_gguf_header(path: Path) -> None:
    """Raise `BundleError` in one line unless the header of a GGUF file fits the file.

    `GGUFReader` believes what the header says: it counts to 2^63, and calls itself for arrays of arrays.
    The layout is at https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
    """
    try:
        check_regular(path)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _Header(content).check()
    except (_HeaderError, UnreadableFileError, OSError, ValueError) as error:  # an empty file cannot be mapped
        raise BundleError(f"{path.name} is not a GGUF file that can be read: {error}; use another one") from error


class _Header:
    """Walks through a header, from which no read leads out of the file."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content, self._size, self._at = content, len(content), 0
        self._elements = 0
        self._alignment = 32

    def check(self) -> None:
        if self._take(4) != b"GGUF":
            raise _HeaderError("it does not begin with GGUF")
        version = self._number(4)
        if version not in (2, 3):
            raise _HeaderError(f"it has version {version}, and 2 and 3 can be read")
        tensors, keys = self._number(8), self._number(8)
        self._limit("tensors", tensors, MOST_TENSORS, 8 + 4 + 8 + 4 + 8)
        self._limit("keys", keys, MOST_KEYS, 8 + 4 + 1)
        known: set[str] = set()
        for _ in range(keys):
            self._once(known, "key", key := self._string("a key", MOST_NAME_BYTES))
            self._value(key)
        self._check_data([self._tensor() for _ in range(tensors)])

    def _value(self, key: str) -> None:
        kind = self._number(4)
        if key == "general.alignment":
            self._read_alignment(kind)
        elif kind == ARRAY:
            self._array(key)
        elif kind == STRING:
            self._string(key, self._size)
        else:
            self._take(self._size_of(kind, key))

    def _read_alignment(self, kind: int) -> None:
        value = self._number(4) if kind == UNSIGNED else 0
        if not 0 < value <= MOST_ALIGNMENT or value & (value - 1):
            raise _HeaderError(f"general.alignment is no power of two up to {MOST_ALIGNMENT} ({value})")
        self._alignment = value

    def _array(self, key: str) -> None:
        kind, count = self._number(4), self._number(8)
        if kind == ARRAY:
            raise _HeaderError(f"{key} is an array of arrays")
        size = 8 if kind == STRING else self._size_of(kind, key)
        self._elements += count
        self._limit(f"elements in arrays, at {key}", self._elements, MOST_ELEMENTS, 0)
        self._limit(f"elements in {key}", count, MOST_ELEMENTS, size)
        if kind == STRING:
            for _ in range(count):
                self._string(key, self._size)
        else:
            self._take(count * size)

    def _tensor(self) -> _Tensor:
        name = self._string("a tensor's name", MOST_NAME_BYTES)
        dimensions = self._number(4)
        if not 0 < dimensions <= MOST_DIMENSIONS:
            raise _HeaderError(f"{name} has {dimensions} dimensions, and must have 1 to {MOST_DIMENSIONS}")
        elements, row = 1, 0
        for index in range(dimensions):
            length = self._number(8)
            elements *= length
            row = length if index == 0 else row
        kind, offset = self._number(4), self._number(8)
        try:
            block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        except (ValueError, KeyError):
            raise _HeaderError(f"{name} is of the unknown type {kind}") from None
        if not elements or row % block:
            raise _HeaderError(f"{name} has rows of {row} numbers, and must have a multiple of {block}")
        return _Tensor(name, elements // block * block_bytes, offset)

    def _check_data(self, tensors: list[_Tensor]) -> None:
        room = self._size - (self._at + -self._at % self._alignment)
        known: set[str] = set()
        for tensor in tensors:
            self._once(known, "tensor", tensor.name)
            if tensor.offset % self._alignment or tensor.offset + tensor.byte_count > room:
                raise _HeaderError(
                    f"{tensor.name} should have {tensor.byte_count} bytes at {tensor.offset}, and the file has "
                    f"{max(room, 0)} bytes of tensors"
                )

    @staticmethod
    def _once(known: set[str], what: str, name: str) -> None:
        if name in known:
            raise _HeaderError(f"the {what} {name!r:.80} is there twice")
        known.add(name)

    def _limit(self, what: str, count: int, most: int, bytes_each: int) -> None:
        fits = min(most, (self._size - self._at) // bytes_each if bytes_each else most)
        if count > fits:
            raise _HeaderError(f"it says that it has {count} {what}, and can have {fits}")

    def _size_of(self, kind: int, key: str) -> int:
        if kind not in SIZES:
            raise _HeaderError(f"{key} is of the unknown kind {kind}")
        return SIZES[kind]

    def _string(self, what: str, most_bytes: int) -> str:
        length = self._number(8)
        if length > most_bytes:
            raise _HeaderError(f"{what} has a text of {length} bytes")
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise _HeaderError(f"{what} has a text that is not UTF-8") from None

    def _number(self, size: int) -> int:
        if self._at + size > self._size:
            raise _HeaderError(f"it ends within its header, at {self._size} bytes")
        (value,) = struct.unpack_from("<I" if size == 4 else "<Q", self._content, self._at)
        self._at += size
        return int(value)

    def _take(self, size: int) -> bytes:
        if self._at + size > self._size:
            raise _HeaderError(f"it ends within its header, at {self._size} bytes")
        taken = self._content[self._at : self._at + size]
        self._at += size
        return taken
