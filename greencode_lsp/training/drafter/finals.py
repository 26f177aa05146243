"""What a drafter learns from: full depth's states along texts, recorded once and read in several epochs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from greencode_lsp.engine import Runner
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.observe import observe
from greencode_lsp.training.traces.shards import Column, ShardWriter, Table, as_array
from greencode_lsp.training.traces.texts import Window

INDEX = "finals.json"

BLOCK_ROWS = 256
"""Recorded states are read in blocks of neighbouring rows, in random order."""


@dataclass(frozen=True)
class Finals:
    """Neighbouring rows: final states [rows, hidden], the token behind each [rows], and the number of its text."""

    final: Tensor
    true: Tensor
    text: Tensor


def finals_of(runner: Runner, window: Window, lead: Sequence[int], number: int) -> Finals:
    """Run a text through all layers."""
    observed = observe(runner, window.ids, (), lead)
    return Finals(observed.final.float(), observed.true, torch.full_like(observed.true, number))


def record_finals(
    runner: Runner, windows: Sequence[Window], lead: Sequence[int], folder: Path, facts: dict[str, Any], report: Report
) -> None:
    """Record what `finals_of` gives for all windows, going on where an earlier run was stopped."""
    columns = {"final": Column("<f2", (runner.shape.hidden_size,)), "true": Column("<i4"), "text": Column("<i4")}
    writer = ShardWriter(folder, INDEX, columns, {"format": 1, **facts})
    for index in range(writer.cursor, len(windows)):
        report("recording states", index, len(windows))
        found = finals_of(runner, windows[index], lead, index)
        writer.append({name: as_array(tensor) for name, tensor in vars(found).items()}, index + 1)
    writer.flush(len(windows))


class RecordedFinals:
    """Blocks of recorded rows, in another random order in every epoch; each with `further` rows behind it."""

    def __init__(self, folder: Path, blocks_per_step: int, epochs: int, seed: int, further: int) -> None:
        self._table = Table(folder, INDEX, ("final", "true", "text"))
        self._blocks = len(self._table) // BLOCK_ROWS
        self._per_step, self._seed, self._further = blocks_per_step, seed, further
        self._steps_per_epoch = self._blocks // blocks_per_step
        self.steps = self._steps_per_epoch * epochs
        if not self.steps:
            raise TrainingError(f"{len(self._table)} tokens are too few for a step; give more --max-tokens")

    def parts(self, step: int) -> list[NDArray[np.int64]]:
        """Return the blocks of a step."""
        epoch, place = divmod(step, self._steps_per_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(self._blocks)
        return [order[place * self._per_step : (place + 1) * self._per_step]]

    def read(self, block: int) -> Finals:
        """Read a block of rows and those behind it."""
        rows = slice(block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS + self._further, len(self._table)))
        final, true, text = (torch.from_numpy(self._table.columns[name][rows]) for name in ("final", "true", "text"))
        return Finals(final.float(), true.long(), text.long())
