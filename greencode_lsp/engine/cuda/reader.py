"""The head and its argmax, as computations on static memory."""

import torch
from torch import Tensor

from greencode_lsp.engine.backbone import Backbone, PlainReader
from greencode_lsp.engine.cuda.buckets import MOST_ROWS, row_bucket
from greencode_lsp.engine.cuda.buffers import Buffers
from greencode_lsp.engine.cuda.exchange import Exchange
from greencode_lsp.engine.cuda.graphs import Computation, Graphs
from greencode_lsp.engine.errors import NumericalError
from greencode_lsp.engine.exits import ExitHead


class StaticReader(PlainReader):
    """Reads hidden states behind one exit, or behind the last layer. Whole logits are read as the plain runner does.

    Answered are ids of the most likely tokens, and whether a logit is NaN.
    """

    def __init__(self, plain: Backbone, head: ExitHead | None, buffers: Buffers, graphs: Graphs) -> None:
        super().__init__(plain, head)
        self._buffers, self._graphs = buffers, graphs
        self._exchange = Exchange(plain.device, answers=MOST_ROWS + 1)
        self._programs: dict[int, Computation] = {}

    def most_likely(self, hidden: Tensor) -> Tensor:
        """Return the ids [rows] of the most likely tokens, on the host; raise `NumericalError` where a logit is NaN."""
        rows = len(hidden)
        if not 0 < rows <= MOST_ROWS:
            return super().most_likely(hidden).cpu()
        bucket = row_bucket(rows)
        self._buffers.enter(hidden, bucket)
        if bucket not in self._programs:
            self._programs[bucket] = self._graphs.prepare(lambda: self._compute(bucket))
        self._programs[bucket]()
        self._exchange.launched()
        *ids, is_nan = self._exchange.answers()
        if is_nan:
            raise NumericalError("a logit is NaN")
        return torch.tensor(ids[:rows], dtype=torch.long)

    def _compute(self, rows: int) -> None:
        largest, ids = self.logits(self._buffers.entering[:rows]).max(dim=-1)
        nothing = ids.new_zeros(MOST_ROWS - rows)
        self._exchange.answer(ids, nothing, largest.isnan().any())
