"""The metadata of a GGUF file, asked for by key and by type."""

from pathlib import Path
from typing import TypeVar

from gguf import GGUFReader

from greencode_lsp.models.bundle import BundleError

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
        if not isinstance(value, kind):
            raise self.unsupported(f"{key} is {value!r:.40}")
        return value

    def get_index(self, key: str) -> int | None:
        """Return a whole number such as a token's index, None when the file does not say."""
        return self.get(key, int) if key in self._reader.fields else None

    def unsupported(self, why: str) -> BundleError:
        """Return the error for a file whose contents greencode cannot convert."""
        return BundleError(
            f"{self._path.name} cannot be converted, {why}: use another GGUF file or a safetensors model"
        )
