"""What exit heads learn from: hidden states at the exits, and what full depth said there.

On a small machine the frozen layers cost more than the heads, so states are recorded once and read in many epochs;
where one epoch is enough, they are computed as they are needed and never stored.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from greencode_lsp.engine import Runner
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.observe import observe
from greencode_lsp.training.traces.shards import Column, ShardWriter, Table, as_array, read_index
from greencode_lsp.training.traces.texts import Window

INDEX = "states.json"

LIKELY = 32
"""How many of full depth's likeliest tokens are kept: on code they hold 97 % of its probability."""

BLOCK_ROWS = 256
"""Recorded states are read in blocks of neighbouring rows, in random order: reading single rows would be slow."""


@dataclass(frozen=True)
class States:
    """A batch.

    Shapes: hidden [rows, exits, hidden], likely [rows, k] (full depth's likeliest tokens, falling), likelihood
    [rows, k] (their log-probabilities), true [rows].
    """

    hidden: Tensor
    likely: Tensor
    likelihood: Tensor
    true: Tensor

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.true)

    def to(self, device: torch.device) -> "States":
        """Return the batch on a device."""
        return States(*(tensor.to(device) for tensor in vars(self).values()))


class Source(Protocol):
    """Gives the micro-batches of any step, always the same ones: what makes a run resumable."""

    steps: int

    def parts(self, step: int) -> Sequence[Any]:
        """Return descriptions of a step's micro-batches; costs nothing."""

    def states(self, part: Any) -> States:
        """Return the states of a micro-batch."""


@torch.inference_mode()
def states_of(runner: Runner, window: Window, exits: Sequence[int], lead: Sequence[int]) -> States:
    """Run a window through the frozen layers."""
    observed = observe(runner, window.ids, exits, lead)
    likelihood, likely = torch.log_softmax(runner.logits(observed.final).float(), dim=-1).topk(LIKELY, dim=-1)
    return States(observed.hidden, likely, likelihood, observed.true)


def join(parts: Sequence[States]) -> States:
    """Put batches behind one another."""
    return States(*(torch.cat(tensors) for tensors in zip(*(vars(part).values() for part in parts), strict=True)))


class LiveSource:
    """Computes states when they are asked for: one epoch over the windows."""

    def __init__(
        self, runner: Runner, windows: Sequence[Window], exits: Sequence[int], lead: Sequence[int], size: "BatchSize"
    ) -> None:
        self._runner, self._exits, self._lead = runner, exits, lead
        self._parts = grouped(windows, size.micro_tokens)
        self._per_step = size.micro_batches
        self.steps = max(1, len(self._parts) // self._per_step)

    def parts(self, step: int) -> Sequence[Sequence[Window]]:
        """Return the windows of each micro-batch."""
        return self._parts[step * self._per_step : (step + 1) * self._per_step]

    def states(self, part: Sequence[Window]) -> States:
        """Run windows through the frozen layers."""
        return join([states_of(self._runner, window, self._exits, self._lead) for window in part])


class RecordedSource:
    """Reads recorded states in another random order in every epoch."""

    def __init__(self, folder: Path, exits: Sequence[int], size: "BatchSize", epochs: int, seed: int) -> None:
        self._table = Table(folder, INDEX, ("hidden", "likely", "likelihood", "true"))
        recorded = list(self._table.facts["exits"])
        self._columns = [recorded.index(depth) for depth in exits]
        self._blocks = math.ceil(len(self._table) / BLOCK_ROWS)
        self._blocks_per_part = max(1, size.micro_tokens // BLOCK_ROWS)
        self._per_step = size.micro_batches
        self._steps_per_epoch = max(1, self._blocks // (self._blocks_per_part * self._per_step))
        self._seed = seed
        self.steps = self._steps_per_epoch * epochs

    def parts(self, step: int) -> Sequence[NDArray[np.int64]]:
        """Return the blocks of each micro-batch."""
        epoch, place = divmod(step, self._steps_per_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(self._blocks)
        starts = range(place * self._per_step, (place + 1) * self._per_step)
        parts = [order[start * self._blocks_per_part : (start + 1) * self._blocks_per_part] for start in starts]
        return [part for part in parts if len(part)]

    def states(self, part: NDArray[np.int64]) -> States:
        """Read blocks of rows."""
        rows = (np.sort(part)[:, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)).ravel()
        rows = rows[rows < len(self._table)]
        read = {name: column[rows] for name, column in self._table.columns.items()}
        return States(
            torch.from_numpy(read["hidden"][:, self._columns]),
            torch.from_numpy(read["likely"]).long(),
            torch.from_numpy(read["likelihood"]).float(),
            torch.from_numpy(read["true"]).long(),
        )


def wider_exits(folder: Path, exits: Sequence[int]) -> Sequence[int]:
    """Return the exits that a folder was begun with, where they contain the ones asked for; these otherwise."""
    if not (folder / INDEX).exists():
        return exits
    recorded: list[int] = read_index(folder / INDEX)["exits"]
    return recorded if set(exits) <= set(recorded) else exits


@dataclass(frozen=True)
class BatchSize:
    """Tokens of a micro-batch, and how many of those make a step."""

    micro_tokens: int
    micro_batches: int


def grouped(windows: Sequence[Window], tokens: int) -> list[list[Window]]:
    """Put neighbouring windows together until each group has about so many tokens."""
    groups: list[list[Window]] = []
    room = 0
    for window in windows:
        if room <= 0:
            groups.append([])
            room = tokens
        groups[-1].append(window)
        room -= len(window.ids)
    return groups


def record_states(
    runner: Runner,
    windows: Sequence[Window],
    exits: Sequence[int],
    lead: Sequence[int],
    folder: Path,
    facts: dict[str, Any],
    report: Report,
) -> None:
    """Record the states of all windows, going on where an earlier run was stopped.

    A folder that was recorded at these exits and more is taken as it is: which of them are trained can change later.
    """
    exits = wider_exits(folder, exits)
    columns = {
        "hidden": Column("<f2", (len(exits), runner.shape.hidden_size)),
        "likely": Column("<i4", (LIKELY,)),
        "likelihood": Column("<f2", (LIKELY,)),
        "true": Column("<i4"),
    }
    writer = ShardWriter(folder, INDEX, columns, {"format": 1, "exits": list(exits), **facts})
    for index in range(writer.cursor, len(windows)):
        report("recording states", index, len(windows))
        states = states_of(runner, windows[index], exits, lead)
        writer.append({name: as_array(tensor) for name, tensor in vars(states).items()}, index + 1)
    writer.flush(len(windows))
