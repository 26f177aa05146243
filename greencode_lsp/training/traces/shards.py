"""Large tables on disk: columns of fixed shape in memory-mapped shards, beside a JSON file that lists them.

A shard counts once the JSON file names it, and that file is replaced in one step: a run killed at any moment leaves
whole shards only, and can go on behind them.
"""

import errno
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from greencode_lsp.files import replace_file
from greencode_lsp.training.errors import TrainingError

SHARD_BYTES = 64 * 2**20

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Column:
    """One column: its number format, and the shape of what it holds for one row."""

    dtype: str
    shape: tuple[int, ...] = ()

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        item: int = np.dtype(self.dtype).itemsize
        return item * math.prod(self.shape)


class ShardWriter:
    """Appends rows to a table, a shard at a time.

    `facts` describe the table; a table that is there already is continued where its facts are the same, and refused
    with a `TrainingError` where they are not. `cursor` is the caller's: where its input stood at the last whole shard.
    """

    def __init__(self, folder: Path, index_name: str, columns: Mapping[str, Column], facts: dict[str, Any]) -> None:
        self.folder, self.index, self.columns, self.facts = folder, folder / index_name, dict(columns), facts
        self.shards: list[dict[str, Any]] = []
        self.cursor = 0
        self._waiting: list[dict[str, NDArray[Any]]] = []
        self._waiting_rows = 0
        self._shard_rows = max(1, SHARD_BYTES // sum(column.row_bytes for column in self.columns.values()))
        if self.index.exists():
            self._continue()
        else:
            with disk_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)

    @property
    def rows(self) -> int:
        """Rows appended so far, those of an earlier run included."""
        written: int = sum(shard["rows"] for shard in self.shards)
        return written + self._waiting_rows

    def append(self, rows: Mapping[str, NDArray[Any]], cursor: int) -> None:
        """Append rows, one array [rows, ...] a column; `cursor` says where the input stands behind them."""
        checked = {name: self._checked(name, rows[name]) for name in self.columns}
        self._waiting.append(checked)
        self._waiting_rows += len(next(iter(checked.values())))
        if self._waiting_rows >= self._shard_rows:
            self.flush(cursor)

    def flush(self, cursor: int) -> None:
        """Write what waits as a shard; raise `TrainingError` when the disk refuses. Whole shards stay valid."""
        with disk_errors(self.folder):
            if self._waiting_rows:
                name = f"{len(self.shards):05d}"
                for column in self.columns:
                    values = np.concatenate([rows[column] for rows in self._waiting])
                    with (self.folder / f"{column}-{name}.npy").open("wb") as file:
                        np.save(file, values)
                        file.flush()
                        os.fsync(file.fileno())
                self.shards.append({"name": name, "rows": self._waiting_rows, "cursor": cursor})
            self.cursor = cursor
            self._write_index()
        self._waiting, self._waiting_rows = [], 0

    def _checked(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        column = self.columns[name]
        if values.shape[1:] != column.shape:
            raise ValueError(f"column {name} has rows of shape {column.shape}, not {values.shape[1:]}")
        with np.errstate(over="ignore"):
            stored = values.astype(column.dtype)
        if stored.dtype.kind == "f" and not np.isfinite(stored).all():
            raise TrainingError(f"a value of {name!r} is NaN, infinite or beyond {column.dtype}; the model is unusable")
        return stored

    def _write_index(self) -> None:
        described = {**self.facts, "rows": sum(shard["rows"] for shard in self.shards), "shards": self.shards}
        replace_file(self.index, json.dumps(described, indent=1).encode())

    def _continue(self) -> None:
        described = read_index(self.index)
        for name, value in self.facts.items():
            if described.get(name) != json.loads(json.dumps(value)):
                raise TrainingError(
                    f"{self.folder} was begun with another {name}: {described.get(name)!r}, now {value!r}; "
                    "give another folder or remove it"
                )
        self.shards = described["shards"]
        self.cursor = self.shards[-1]["cursor"] if self.shards else 0


class Table:
    """A table to read: `columns[name]` is one column over all shards."""

    def __init__(self, folder: Path, index_name: str, columns: tuple[str, ...]) -> None:
        self.folder, self.facts = folder, read_index(folder / index_name)
        self.columns = {name: Rows([self._open(name, shard) for shard in self.facts["shards"]]) for name in columns}

    def __len__(self) -> int:
        """Count the rows."""
        return int(self.facts["rows"])

    def _open(self, column: str, shard: dict[str, Any]) -> NDArray[Any]:
        path = self.folder / f"{column}-{shard['name']}.npy"
        try:
            values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise TrainingError(f"{path} cannot be read: {error}; record the folder again") from error
        if len(values) != shard["rows"]:
            raise TrainingError(f"{path} has {len(values)} rows and should have {shard['rows']}; record it again")
        return values


class Rows:
    """Rows [rows, ...] that lie in several memory-mapped arrays one after the other. Reads only what is asked for."""

    def __init__(self, parts: list[NDArray[Any]]) -> None:
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts], dtype=np.int64)

    def __len__(self) -> int:
        """Count the rows."""
        return int(self.ends[-1]) if self.parts else 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape as one array."""
        return (len(self), *self.parts[0].shape[1:]) if self.parts else (0,)

    def __getitem__(self, rows: slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Return a copy of neighbouring rows (a slice without step) or of any rows (an integer array)."""
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            return self._neighbours(start, max(start, stop))
        wanted = np.asarray(rows)
        found = np.empty((len(wanted), *self.shape[1:]), self.parts[0].dtype)
        owners = np.searchsorted(self.ends, wanted, side="right")
        for owner in np.unique(owners):
            here = owners == owner
            found[here] = self.parts[owner][wanted[here] - (self.ends[owner] - len(self.parts[owner]))]
        return found

    def _neighbours(self, start: int, stop: int) -> NDArray[Any]:
        pieces = [
            part[max(start - first, 0) : max(stop - first, 0)]
            for part, first in zip(self.parts, self.ends - [len(part) for part in self.parts], strict=True)
        ]
        return np.concatenate(pieces) if pieces else np.empty((0,))


def as_array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as an array, numbers with a point as float32."""
    return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy())


def read_index(path: Path) -> dict[str, Any]:
    """Return a table's JSON file; raise `TrainingError` when it is not there or broken."""
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(described["shards"], list):
            raise TypeError("shards must be a list")
    except FileNotFoundError as error:
        raise TrainingError(f"{path} does not exist; record the folder first") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} cannot be read: {error}; remove the folder and record it again") from error
    return dict(described)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into a `TrainingError` of one line; other errors are bugs."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise TrainingError(
                f"the disk of {folder} is full: what was saved is intact, free some space and run it again"
            ) from error
        raise TrainingError(f"{folder} cannot be written: {error.strerror or error}") from error
