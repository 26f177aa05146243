"""What mostly follows the last one to three tokens in code, counted once in a corpus: guesses that cost no layer.

A text that has not said a thing yet cannot draft it (`lookup`), but much of code is said everywhere. A longer run of
tokens is listed where it says something else than a shorter one, or is surer or less sure of it, and where it was seen
often enough to believe (`greencode train ngrams`). Guesses are checked like all others, so that a table can make a text
cheaper and not worse. The idea: J. Ou et al. 2024, "Lossless Acceleration of Large Language Model via
Adaptive N-gram Parallel Decoding" (arXiv 2404.08698), there counted in the prompt alone.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from greencode_lsp.engine.errors import EngineError
from greencode_lsp.files import replace_file
from greencode_lsp.reading import check_regular

NGRAMS_FILE = "ngrams.safetensors"

FORMAT = "1"

LONGEST = 3
"""Tokens that decide at most. Their keys fit into 64 bits where a vocabulary has less than two million tokens."""

PARTS = ("runs", "following", "likely")

LEAST_LIKELY = 0.1
"""What is less likely than this is no guess: a row costs more than it brings."""

CERTAIN = 255
"""How likely an entry is stands in a byte, as a share of this."""


@dataclass(frozen=True)
class Ngrams:
    """What follows runs of some tokens: keys [entries] in rising order, next tokens [entries], how likely [entries].

    A run's key has its tokens as digits to the base of the vocabulary.
    """

    keys: NDArray[np.int64]
    following: NDArray[np.int64]
    likely: NDArray[np.uint8]


class NgramTable:
    """A table of such runs by their length, of a vocabulary."""

    def __init__(self, vocabulary: int, runs: Mapping[int, Ngrams]) -> None:
        self.vocabulary, self.runs = vocabulary, dict(runs)
        self._longest_first = [(length, self.runs[length].keys.data) for length in sorted(runs, reverse=True)]

    def likeliest(self, tokens: Sequence[int]) -> tuple[int, float] | None:
        """Return what mostly follows the longest run at the end of tokens that is listed, and how likely it is."""
        for length, keys in self._longest_first:
            if length > len(tokens):
                continue
            key = 0
            for token in tokens[-length:]:
                key = key * self.vocabulary + token
            place = bisect_left(keys, key)
            if place < len(keys) and keys[place] == key:
                found = self.runs[length]
                likely = int(found.likely[place]) / CERTAIN
                return (int(found.following[place]), likely) if likely >= LEAST_LIKELY else None
        return None


def save_ngrams(path: Path, table: NgramTable) -> None:
    """Write a table as it is shipped."""
    ids = np.uint16 if table.vocabulary <= 1 << 16 else np.uint32
    tensors: dict[str, NDArray[Any]] = {}
    for length, runs in table.runs.items():
        digits = table.vocabulary ** np.arange(length - 1, -1, -1, dtype=np.int64)
        tensors[f"runs.{length}"] = (runs.keys[:, None] // digits % table.vocabulary).astype(ids)
        tensors[f"following.{length}"] = runs.following.astype(ids)
        tensors[f"likely.{length}"] = runs.likely
    replace_file(path, save(tensors, {"format": FORMAT, "vocabulary": str(table.vocabulary)}))


def load_ngrams(path: Path, vocabulary: int) -> NgramTable:
    """Return the table of a file; raise `EngineError` in one line when it is none of this vocabulary."""
    again = "make it again with: greencode train ngrams"
    try:
        check_regular(path)
        with safe_open(path, framework="np") as file:
            facts = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if facts["format"] != FORMAT:
            raise EngineError(f"{path} has format {facts['format']}, this greencode reads {FORMAT}; {again}")
        counted = int(facts["vocabulary"])
        if not 1 <= counted <= vocabulary:
            raise EngineError(f"{path} is of {counted} different tokens, this model has {vocabulary}; {again}")
        return NgramTable(counted, {length: _read(tensors, length, counted) for length in _lengths(tensors)})
    except EngineError:
        raise
    except Exception as error:  # safetensors raises its own, undocumented types
        raise EngineError(f"{path} is not a readable table of n-grams ({error}); {again}") from error


def _lengths(tensors: Mapping[str, NDArray[Any]]) -> list[int]:
    lengths = sorted(int(name.partition(".")[2]) for name in tensors if name.startswith("runs."))
    if not all(1 <= length <= LONGEST for length in lengths):
        raise ValueError(f"runs of {lengths} tokens")
    if strangers := tensors.keys() - {f"{part}.{length}" for part in PARTS for length in lengths}:
        raise ValueError(f"{min(strangers)} belongs to no runs")
    return lengths


def _read(tensors: Mapping[str, NDArray[Any]], length: int, vocabulary: int) -> Ngrams:
    runs, following, likely = (tensors[f"{name}.{length}"] for name in PARTS)
    if runs.shape != (len(likely), length) or following.shape != likely.shape or likely.dtype != np.uint8:
        raise ValueError(f"runs of {length} tokens and what follows them do not belong together")
    if runs.dtype.kind not in "iu" or following.dtype.kind not in "iu":
        raise ValueError(f"ids of type {runs.dtype} and {following.dtype}, wanted whole numbers")
    if len(runs) and not all(int(ids.min()) >= 0 and int(ids.max()) < vocabulary for ids in (runs, following)):
        raise ValueError("ids outside of the vocabulary")
    keys = np.zeros(len(runs), np.int64)
    for token in runs.T:
        keys = keys * vocabulary + token.astype(np.int64)
    if (keys[1:] <= keys[:-1]).any():
        raise ValueError(f"runs of {length} tokens are not in order")
    return Ngrams(keys, following.astype(np.int64), likely)
