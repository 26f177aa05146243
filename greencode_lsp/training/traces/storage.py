"""Traces on disk: what every exit knew at every token of real code, recorded once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.traces.shards import Column, Rows, ShardWriter, Table

INDEX = "traces.json"

FORMAT = 2


@dataclass(frozen=True)
class TraceFacts:
    """What traces are of: the model, its exits (depths), the corpus' packages and split, and the weights' identity.

    `exits_sha256` is that of the file of exit heads the predictions were read with, empty where there was none. What
    lies behind it decides which windows were read; more tokens only go on with them. `written_by` names the policy that
    wrote what was read.
    """

    model: str
    layers: int
    exits: tuple[int, ...]
    hidden_size: int
    packages: tuple[str, ...]
    split: str
    context: int
    weights_sha256: str = ""
    exits_sha256: str = ""
    corpus_sha256: str = ""
    windows_per_file: int = 0
    seed: int = 0
    written_by: str = ""


@dataclass(frozen=True)
class TraceRows:
    """Neighbouring tokens of one file.

    Shapes: hidden [rows, exits, hidden] (raw outputs of the layers at the exits), predicted and probability
    [rows, exits + 1] (the likeliest next token and its probability at each exit and, last, at full depth), true [rows]
    (the token that came), place [rows, 3] (package, file and position in the file).
    """

    hidden: NDArray[Any]
    predicted: NDArray[Any]
    probability: NDArray[Any]
    true: NDArray[Any]
    place: NDArray[Any]


def columns(facts: TraceFacts) -> dict[str, Column]:
    """Return the columns of traces with these facts."""
    exits = len(facts.exits)
    return {
        "hidden": Column("<f2", (exits, facts.hidden_size)),
        "predicted": Column("<i4", (exits + 1,)),
        "probability": Column("<f2", (exits + 1,)),
        "true": Column("<i4"),
        "place": Column("<i4", (3,)),
    }


class TraceWriter:
    """Writes traces in reading order. A folder that was begun with the same facts is continued at `cursor`."""

    def __init__(self, folder: Path, facts: TraceFacts) -> None:
        described = {"format": FORMAT, **asdict(facts)}
        self._shards = ShardWriter(folder, INDEX, columns(facts), described)

    @property
    def cursor(self) -> int:
        """What `append` was told last before the last whole shard; 0 in a new folder."""
        return self._shards.cursor

    @property
    def rows(self) -> int:
        """Rows so far."""
        return self._shards.rows

    def append(self, rows: TraceRows, cursor: int) -> None:
        """Append rows; `cursor` says how far the input is done with them."""
        self._shards.append(vars(rows), cursor)

    def close(self, cursor: int) -> None:
        """Write what waits."""
        self._shards.flush(cursor)


class Traces:
    """Recorded traces, memory-mapped; the columns are as in `TraceRows`, over all shards."""

    def __init__(self, folder: Path, facts: TraceFacts, table: Table) -> None:
        self.folder, self.facts, self._table = folder, facts, table

    @classmethod
    def open(cls, folder: Path) -> "Traces":
        """Open a folder; raise `TrainingError` in one line when it holds no whole traces."""
        table = Table(folder, INDEX, ("hidden", "predicted", "probability", "true", "place"))
        described = table.facts
        if described.get("format") != FORMAT:
            raise TrainingError(f"{folder} has traces of format {described.get('format')!r}, not {FORMAT}; record anew")
        known: dict[str, Any] = {name: described[name] for name in TraceFacts.__dataclass_fields__ if name in described}
        known["exits"], known["packages"] = tuple(described["exits"]), tuple(described["packages"])
        return cls(folder, TraceFacts(**known), table)

    def __len__(self) -> int:
        """Count the tokens."""
        return len(self._table)

    @property
    def exits(self) -> tuple[int, ...]:
        """Depths of the exits."""
        return self.facts.exits

    @property
    def hidden(self) -> Rows:
        """Raw hidden states at the exits, [rows, exits, hidden], float16."""
        return self._table.columns["hidden"]

    @property
    def predicted(self) -> Rows:
        """Likeliest tokens, [rows, exits + 1], int32."""
        return self._table.columns["predicted"]

    @property
    def probability(self) -> Rows:
        """The probabilities of those, [rows, exits + 1], float16."""
        return self._table.columns["probability"]

    @property
    def true(self) -> Rows:
        """The tokens that came, [rows], int32."""
        return self._table.columns["true"]

    @property
    def place(self) -> Rows:
        """Package, file and position, [rows, 3], int32."""
        return self._table.columns["place"]


def agreement(predicted: NDArray[Any]) -> Sequence[float]:
    """Return per exit how often its token is that of full depth, from `predicted` [rows, exits + 1]."""
    return [float(share) for share in np.mean(predicted[:, :-1] == predicted[:, -1:], axis=0)]
