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

    Answered are the ids of the most likely tokens and their probabilities, as floats, which hold such ids exactly.
    """

    def __init__(self, plain: Backbone, head: ExitHead | None, buffers: Buffers, graphs: Graphs) -> None:
        super().__init__(plain, head)
        self._buffers, self._graphs = buffers, graphs
        self._exchange = Exchange(plain.device, answers=2 * MOST_ROWS, dtype=torch.float32)
        self._programs: dict[int, Computation] = {}

    def likeliest(self, hidden: Tensor, words: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        """Return the ids [rows] of the most likely tokens and their probabilities [rows], on the host.

        Raises `NumericalError` where a logit is NaN.
        """
        rows = len(hidden)
        if not 0 < rows <= MOST_ROWS:
            return super().likeliest(hidden, words)
        if self._part is not None:
            self._part.take(words)
        bucket = row_bucket(rows)
        self._buffers.enter(hidden, bucket)
        if bucket not in self._programs:
            self._programs[bucket] = self._graphs.prepare(lambda: self._compute(bucket))
        self._programs[bucket]()
        self._exchange.launched()
        answers = self._exchange.answers()
        probabilities = torch.tensor(answers[bucket : bucket + rows])
        if bool(probabilities.isnan().any()):
            raise NumericalError("a logit is NaN")
        return torch.tensor([int(id) for id in answers[:rows]]), probabilities

    def _compute(self, rows: int) -> None:
        ids, probabilities = self.chosen(self._buffers.entering[:rows])
        self._exchange.answer(ids, probabilities, probabilities.new_zeros(2 * (MOST_ROWS - rows)))
