"""The metadata of a GGUF file, asked for by key and by type."""

import math
from pathlib import Path
from typing import TypeVar

from gguf import GGUFReader, GGUFValueType

from greencode_lsp.models.bundle import BundleError

MOST = (1 << 31) - 1
"""What any size in a model may be: more does not fit into the numbers of any kernel."""

_Value = TypeVar("_Value")


class GgufFields:
    """The key-value part of an open GGUF file. Every getter raises `BundleError` naming the file and the key."""

    def __init__(self, path: Path, reader: GGUFReader) -> None:
        self._path, self._reader = path, reader

    def get(self, key: str, kind: type[_Value], default: _Value | None = None) -> _Value:
        """Return the value of `key`, `default` when the file does not say, raise without a default."""
        field = self._reader.fields.get(key)
        if field is None:
            if default is None:
                raise self.unsupported(f"it does not say {key}")
            return default
        value = field.contents()
        if not isinstance(value, kind) or (isinstance(value, float) and not math.isfinite(value)):
            raise self.unsupported(f"{key} is {value!r:.40}")
        return value

    def get_count(self, key: str, default: int | None = None) -> int:
        """Return a whole number of at least 1, `default` when the file does not say, raise without a default."""
        value = self.get(key, int, default)
        if not 1 <= value <= MOST:
            raise self.unsupported(f"{key} is {value}, and must be from 1 to {MOST}")
        return value

    def get_index(self, key: str) -> int | None:
        """Return the index of one of the file's tokens, None when the file does not say."""
        if key not in self._reader.fields:
            return None
        index, tokens = self.get(key, int), self.length("tokenizer.ggml.tokens")
        if not 0 <= index < tokens:
            raise self.unsupported(f"{key} is {index}, and it has {tokens} tokens")
        return index

    def length(self, key: str) -> int:
        """Return how many elements an array has, without making a list of them."""
        field = self._reader.fields.get(key)
        if field is None or field.types[:1] != [GGUFValueType.ARRAY]:
            raise self.unsupported(f"it has no array {key}")
        return len(field.data)

    def get_texts(self, key: str) -> list[str]:
        """Return a list of strings."""
        values = self.get(key, list)
        if not all(isinstance(value, str) for value in values):
            raise self.unsupported(f"{key} is a list of something else than strings")
        return values

    def unsupported(self, why: str) -> BundleError:
        """Return the error for a file whose contents greencode cannot convert."""
        return BundleError(
            f"{self._path.name} cannot be converted, {why}: use another GGUF file or a safetensors model"
        )
