"""A segment's layers as computations on static memory, one for each bucket of rows and of length."""

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import RotaryTable
from greencode_lsp.engine.backbone import Backbone, Rows
from greencode_lsp.engine.cache import Cache, whole_blocks
from greencode_lsp.engine.cuda.buckets import MOST_ROWS, length_bucket, row_bucket
from greencode_lsp.engine.cuda.buffers import Buffers
from greencode_lsp.engine.cuda.exchange import Exchange
from greencode_lsp.engine.cuda.graphs import Computation, Graphs
from greencode_lsp.engine.cuda.static_kv import StaticKV
from greencode_lsp.policy.learned import PolicyNetwork


class StaticSegment:
    """Neighbouring layers, with room for `capacity` rows. More rows double it, and what was captured is dropped.

    Asked are the position of the first row and the index of the last one. Answered are the norm of all states, which no
    state can escape that is NaN or infinite, and the scores of a policy's network for the last row, 0 where there is
    none for this exit.
    """

    def __init__(
        self, plain: Backbone, layers: range, buffers: Buffers, exchange: Exchange, graphs: Graphs, capacity: int
    ) -> None:
        self._plain, self._layers = plain, layers
        self._buffers, self._exchange, self._graphs = buffers, exchange, graphs
        self._programs: dict[tuple[int, int], Computation] = {}
        self._network: PolicyNetwork | None = None
        self._static = self._new_static(capacity)

    @property
    def is_judged(self) -> bool:
        """Whether answers hold scores."""
        return self._network is not None and self._layers.stop in self._network.file.exits

    def judge(self, network: PolicyNetwork | None) -> None:
        """Have a network score the last row from now on."""
        self._network = network
        self._programs.clear()

    def run(self, hidden: Tensor, start: int, cache: Cache) -> Tensor:
        """Run 1 to 16 rows, hidden [rows, hidden], at positions from `start`; return what the layers make of them."""
        rows = len(hidden)
        bucket = row_bucket(rows)
        self._lend(cache, start, start + bucket)
        self._buffers.enter(hidden, bucket)
        self._exchange.ask((start, rows - 1))
        self._program(bucket, length_bucket(start + rows, self._static.capacity))()
        self._exchange.launched()
        return self._buffers.leave(rows)

    def run_wide(self, hidden: Tensor, start: int, cache: Cache) -> Tensor:
        """Run any number of rows as the plain runner does. Answers nothing."""
        self._lend(cache, start, start + len(hidden))
        return self._plain.run_layers(self._layers, hidden, start, cache)

    def _program(self, rows: int, end: int) -> Computation:
        if (rows, end) not in self._programs:
            self._programs[rows, end] = self._graphs.prepare(lambda: self._compute(rows, end))
        return self._programs[rows, end]

    def _compute(self, rows: int, end: int) -> None:
        plain = self._plain
        asked = self._exchange.taken()
        positions = asked[0] + self._buffers.offsets[:rows]
        where = Rows(positions, end, self._rotary(positions), self._mask(positions, end))
        hidden = self._buffers.entering[:rows]
        for index, keys, values in zip(self._layers, self._static.keys, self._static.values, strict=True):
            hidden = plain.run_layer(plain.weights.layers[index], hidden, where, keys, values)
        self._buffers.leaving[:rows].copy_(hidden)
        norm = torch.linalg.vector_norm(hidden, dtype=torch.float32)
        self._exchange.answer(norm, self._scores(hidden.index_select(0, asked[1:])[0]))

    def _rotary(self, positions: Tensor) -> tuple[Tensor, Tensor] | None:
        table = self._plain.weights.positions
        if not isinstance(table, RotaryTable):
            return None
        places = positions.clamp(max=len(table.cos) - 1)  # rows that only fill up a bucket may lie past the context
        return table.cos[places, None], table.sin[places, None]  # [rows, 1, rotary_size]

    def _mask(self, positions: Tensor, end: int) -> Tensor:
        """Return the additive mask [group * rows, end] that lets every row see itself and what is before it."""
        shape = self._plain.shape
        later = self._static.positions[:end] > positions[:, None]
        mask = later.new_zeros(later.shape, dtype=self._plain.dtype).masked_fill_(later, -torch.inf)
        return mask.repeat(shape.heads // shape.kv_heads, 1)

    def _scores(self, state: Tensor) -> Tensor:
        if self._network is None or not self.is_judged:
            return torch.zeros(2, device=state.device)
        return self._network.scores_on_device(self._network.file.exits.index(self._layers.stop), state)

    def _lend(self, cache: Cache, valid: int, rows: int) -> None:
        if rows > self._static.capacity:
            self._static = self._new_static(max(2 * self._static.capacity, rows))
            self._programs.clear()
        self._static.lend(cache, valid, rows)

    def _new_static(self, capacity: int) -> StaticKV:
        plain = self._plain
        capacity = whole_blocks(min(capacity, plain.shape.context_length + MOST_ROWS))
        like = plain.weights.embedding
        return StaticKV(like, len(self._layers), plain.shape.kv_heads, plain.shape.head_size, capacity)
