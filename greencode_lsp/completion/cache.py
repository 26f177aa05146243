"""What was suggested before: typing along with a suggestion, or accepting part of it, shows the rest at no cost."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Entry(Generic[Value]):
    """A suggestion and the exact place it was made for."""

    prefix_length: int
    prefix_hash: int
    suffix_hash: int
    text: str
    value: Value


class ResultCache(Generic[Value]):
    """The last suggestions, by document. Holds hashes of the surrounding code, not the code."""

    def __init__(self, capacity: int = 128) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[tuple[str, int, int, int, str], Entry[Value]] = OrderedDict()

    def put(self, scope: str, prefix: str, suffix: str, text: str, value: Value) -> None:
        """Remember a suggestion, beside others made for the same place.

        `scope` names everything else that it depends on: document, profile, limits.
        """
        entry = Entry(len(prefix), hash(prefix), hash(suffix), text, value)
        key = (scope, entry.prefix_length, entry.prefix_hash, entry.suffix_hash, text)
        self._entries.pop(key, None)
        self._entries[key] = entry
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def get(self, scope: str, prefix: str, suffix: str) -> tuple[str, Value] | None:
        """Return what remains of a suggestion made here, or of one that has been typed since; newest first."""
        suffix_hash = hash(suffix)
        for (entry_scope, *_), entry in reversed(self._entries.items()):
            if entry_scope != scope or entry.suffix_hash != suffix_hash:
                continue
            typed = prefix[entry.prefix_length :]
            remains = entry.text[len(typed) :]
            if (
                len(prefix) >= entry.prefix_length
                and entry.text.startswith(typed)
                and (remains or not entry.text)
                and hash(prefix[: entry.prefix_length]) == entry.prefix_hash
            ):
                return remains, entry.value
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
