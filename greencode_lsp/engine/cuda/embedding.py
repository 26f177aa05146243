"""Tokens to hidden states, as computations on static memory."""

from torch import Tensor

from greencode_lsp.engine.architecture import LearnedPositions
from greencode_lsp.engine.backbone import Backbone
from greencode_lsp.engine.cuda.buckets import MOST_ROWS, row_bucket
from greencode_lsp.engine.cuda.buffers import Buffers
from greencode_lsp.engine.cuda.exchange import Exchange
from greencode_lsp.engine.cuda.graphs import Computation, Graphs
from greencode_lsp.engine.validation import check_token_ids


class StaticEmbedding:
    """Embeds 1 to 16 tokens. Asked are the position of the first and all ids."""

    def __init__(self, plain: Backbone, buffers: Buffers, graphs: Graphs) -> None:
        self._plain, self._buffers, self._graphs = plain, buffers, graphs
        self._exchange = Exchange(plain.device, asks=1 + MOST_ROWS)
        self._programs: dict[int, Computation] = {}

    def embed(self, tokens: list[int], start: int) -> Tensor:
        """Return the hidden states [rows, hidden] that enter layer 1 for tokens at positions from `start`."""
        check_token_ids(tokens, self._plain.shape.vocabulary_size)
        rows = len(tokens)
        bucket = row_bucket(rows)
        self._exchange.ask((start, *tokens))
        if bucket not in self._programs:
            self._programs[bucket] = self._graphs.prepare(lambda: self._compute(bucket))
        self._programs[bucket]()
        self._exchange.launched()
        return self._buffers.leave(rows)

    def _compute(self, rows: int) -> None:
        weights, asked = self._plain.weights, self._exchange.taken()
        hidden = weights.embedding[asked[1 : 1 + rows]]
        if isinstance(weights.positions, LearnedPositions):
            table = weights.positions.table
            places = asked[0] + self._buffers.offsets[:rows] + weights.positions.offset
            hidden = hidden + table[places.clamp(max=len(table) - 1)]
        self._buffers.leaving[:rows].copy_(hidden)
