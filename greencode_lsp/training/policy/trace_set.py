"""Traces as the policy's training sees them: arrays over rows, where a row is one token of real code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.traces.storage import Traces

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TraceSet:
    """Rows in reading order, file after file, with R rows, E exits before full depth and H numbers in a state.

    Shapes: hidden [R, E, H] (float16: the raw output of the layer at each exit), predicted and probability [R, E + 1]
    (what each exit says and how sure it is; the last column is full depth), true [R] (the token that really came),
    files [R] and packages [R] (their numbers; the rows of a file are neighbours). `exits_sha256` names the exits that
    predicted, empty where nobody knows.
    """

    exits: tuple[int, ...]
    layers: int
    hidden: NDArray[np.float16]
    predicted: NDArray[np.int32]
    probability: NDArray[np.float16]
    true: NDArray[np.int32]
    files: Integers
    packages: Integers
    split: str = "train"
    exits_sha256: str = ""

    def __len__(self) -> int:
        return len(self.true)

    @cached_property
    def agrees(self) -> Booleans:
        """Whether each exit says what full depth says: [R, E]."""
        return np.asarray(self.predicted[:, :-1] == self.predicted[:, -1:])

    @cached_property
    def right(self) -> Booleans:
        """Whether each exit, and full depth, say the token that really came: [R, E + 1]."""
        return np.asarray(self.predicted == self.true[:, None])

    @cached_property
    def file_starts(self) -> Integers:
        """The first row of each file: [files]."""
        return np.flatnonzero(np.r_[True, np.diff(self.files) != 0]) if len(self) else np.zeros(0, np.int64)

    def select(self, rows: Booleans | Integers | slice) -> TraceSet:
        """Return some of the rows."""
        parts = ("hidden", "predicted", "probability", "true", "files", "packages")
        return replace(self, **{name: getattr(self, name)[rows] for name in parts})

    def split_by_file(self, share: float, seed: int) -> tuple[TraceSet, TraceSet]:
        """Return two sets that share no file, the second with about this share of the files (at least one)."""
        count = len(self.file_starts)
        if count < 2:
            raise TrainingError("traces of one single file cannot be split; record traces of more files")
        order = np.random.default_rng(seed).permutation(count)
        second = np.zeros(count, bool)
        second[order[: max(int(count * share), 1)]] = True
        rows = np.repeat(second, np.diff(np.r_[self.file_starts, len(self)]))
        return self.select(~rows), self.select(rows)


def join(sets: Sequence[TraceSet]) -> TraceSet:
    """Put trace sets of one model behind one another, as for a round on-policy; their packages stay apart."""
    first = sets[0]
    for other in sets[1:]:
        if (other.exits, other.layers, other.hidden.shape[2]) != (first.exits, first.layers, first.hidden.shape[2]):
            raise TrainingError("these traces are of different models or exits; record them again with one bundle")
    parts: dict[str, Any] = {
        name: np.concatenate([getattr(each, name) for each in sets])
        for name in ("hidden", "predicted", "probability", "true")
    }
    for name in ("files", "packages"):
        numbers, offset = [], 0
        for each in sets:
            numbers.append(getattr(each, name) + offset)
            offset += int(getattr(each, name).max(initial=-1)) + 1
        parts[name] = np.concatenate(numbers)
    return replace(first, **parts)


def as_full_depth_says(traces: TraceSet) -> TraceSet:
    """Take full depth's token for the one that came: after a text that a policy wrote, nobody knows what should."""
    return replace(traces, true=traces.predicted[:, -1])


def load_traces(folder: Path, max_rows: int | None = None, seed: int = 0) -> TraceSet:
    """Read recorded traces into memory: all of them, or whole files at random up to about `max_rows`.

    Raises `TrainingError` in one line when the folder holds no whole traces.
    """
    traces = Traces.open(folder)
    if not len(traces):
        raise TrainingError(f"{folder} holds traces of no tokens; record it again")
    if not traces.exits:
        raise TrainingError(f"{folder} has traces of a model without exits; there is nothing to decide")
    place = np.asarray(traces.place[:]).astype(np.int64)
    begins = np.r_[True, (np.diff(place[:, :2], axis=0) != 0).any(axis=1)]
    files = np.cumsum(begins) - 1
    rows: slice | Integers = slice(0, len(traces))
    if max_rows is not None and max_rows < len(traces):
        lengths = np.bincount(files)
        order = np.random.default_rng(seed).permutation(len(lengths))
        some = np.zeros(len(lengths), bool)
        some[order[: max(int(np.searchsorted(np.cumsum(lengths[order]), max_rows)), 1)]] = True
        rows = np.flatnonzero(some[files])
    return TraceSet(
        exits=traces.exits,
        layers=traces.facts.layers,
        hidden=traces.hidden[rows],
        predicted=traces.predicted[rows],
        probability=traces.probability[rows],
        true=traces.true[rows],
        files=files[rows],
        packages=place[rows, 0],
        split=traces.facts.split,
        exits_sha256=traces.facts.exits_sha256,
    )
