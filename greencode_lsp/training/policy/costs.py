"""What decoding costs, as plain numbers, and what a file costs whose tokens leave at different depths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from greencode_lsp.energy import CostTable, Work
from greencode_lsp.engine.model import ROW_PRICE
from greencode_lsp.training.policy.trace_set import Floats, Integers

DECISION_LAYERS = 0.05
"""What one decision of a learned policy costs, in layers: 4 to 10 us beside 200 us for one of the default model's."""

MANY_ROWS = 8


@dataclass(frozen=True)
class Costs:
    """Joules of the parts of one token, or any unit in proportion to them, as `unit` says.

    `layer` and `head` are for one row. A further row in the same run of a layer adds `row_cost` times `layer`: the
    weights are streamed anyway. `translators` [exits] is what an exit computes before the head, `shortlists` [exits]
    what it reads in place of the head, 0 where it reads that. `decision` is paid wherever a learned policy is asked.
    """

    exits: tuple[int, ...]
    layers: int
    layer: float = 1.0
    head: float = 0.0
    translators: tuple[float, ...] = ()
    shortlists: tuple[float, ...] = ()
    decision: float = 0.0
    row_cost: float = ROW_PRICE
    unit: str = "layers"

    @property
    def segments(self) -> Floats:
        """The cost of each segment for one row: [exits + 1]."""
        return np.diff(np.array([0, *self.exits, self.layers])) * self.layer

    @property
    def reading(self) -> Floats:
        """The cost of reading a token at each exit and at full depth: [exits + 1]."""
        none = (0.0,) * len(self.exits)
        shortlists = np.array([*(self.shortlists or none), 0.0])
        heads = np.where(shortlists > 0, shortlists, self.head)
        return np.array([*(self.translators or none), 0.0]) + heads

    @property
    def full(self) -> float:
        """The cost of a token at full depth."""
        return self.layers * self.layer + self.head

    def depths(self, exits: Integers) -> Integers:
        """Return the layers done behind each of these exits, where index E is full depth."""
        return np.array([*self.exits, self.layers])[exits]


def measured_costs(
    table: CostTable,
    exits: tuple[int, ...],
    layers: int,
    translators: Sequence[float] = (),
    shortlists: Sequence[float] = (),
) -> Costs:
    """Take costs from what was measured on this machine; `translators` and `shortlists` [exits] are in layers."""
    layer = table.joules(Work(layer_runs={(1, 1): 1}))
    rows = table.joules(Work(layer_runs={(1, MANY_ROWS): 1}))
    head = table.joules(Work(head_runs={1: 1}))
    return Costs(
        exits,
        layers,
        layer=layer,
        head=head,
        translators=tuple(share * layer for share in translators),
        shortlists=tuple(share * layer for share in shortlists),
        decision=DECISION_LAYERS * layer,
        row_cost=(rows - layer) / ((MANY_ROWS - 1) * layer) if layer else ROW_PRICE,
        unit=f"joules ({table.source})",
    )


def naive_costs(costs: Costs, ran: Integers, reading: Floats) -> Floats:
    """Return what each row costs if whatever is skipped is never run: [R].

    `ran` [R] is the deepest segment each row ran, `reading` [R] what reading it and deciding about it cost.
    """
    return np.asarray(np.cumsum(costs.segments)[ran] + reading)


def file_costs(costs: Costs, ran: Integers, reading: Floats, file_starts: Integers) -> Floats:
    """Return what each file costs as the engine runs it: [files].

    A row that leaves early waits before the next segment until a later token of the file goes there; then it runs along
    for `row_cost` of a row. Only rows behind the last token that goes into a segment never run it.
    """
    lengths = np.diff(np.r_[file_starts, len(ran)])
    position = np.arange(len(ran)) - np.repeat(file_starts, lengths)
    total = np.add.reduceat(reading, file_starts)
    for segment, cost in enumerate(costs.segments):
        active = ran >= segment
        leading = np.add.reduceat(active.astype(np.int64), file_starts)
        reached = np.maximum.reduceat(np.where(active, position, -1), file_starts) + 1
        total = total + cost * (leading + costs.row_cost * (reached - leading))
    return np.asarray(total)
