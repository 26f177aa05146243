"""What has been computed of one text: its tokens, and per segment K/V and the rows that wait to run.

Row `i` of a segment is token `i`. A segment has run its first `length` rows; the rows behind those, as far as the
segment before it has run, wait in its queue. So `length` never grows from one segment to the next, K/V are exact
for every row a segment has run, and nothing deeper than an exit is computed before somebody asks for it.

Rows far above the last may be filled instead of run, where a request allows it (`engine.kv_map`): their K/V are near.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from greencode_lsp.engine.cache import BLOCK_ROWS, Cache
from greencode_lsp.engine.drafts.exits import Drafting
from greencode_lsp.engine.drafts.guessing import GuessRecord
from greencode_lsp.engine.errors import EngineError, NumericalError
from greencode_lsp.engine.kv_map import FIRST_ROWS, far_rows
from greencode_lsp.engine.model import EarlyExitModel

BeforeChunk = Callable[[int, int], None]
"""Called with how many rows are about to run, and how many of them, the last ones, are looked at behind the last layer.

May raise to stop.
"""

CHUNK_ROWS = 256
"""Rows that run between two looks at whether the caller still wants the result."""


class SegmentState:
    """The K/V of a segment's layers, how many rows of them are valid, and the queue [rows, hidden]."""

    def __init__(self, cache: Cache, queue: Tensor) -> None:
        self.cache, self.queue = cache, queue
        self.length = 0

    def rewind(self, length: int, supplied: int) -> None:
        """Forget rows from `length` on, given that the segment before this one has run `supplied` rows."""
        self.length = min(self.length, length)
        self.queue = self.queue[: max(min(supplied, length) - self.length, 0)]


class Session:
    """The state of one text in one model. Not for use from two threads at once."""

    def __init__(self, model: EarlyExitModel) -> None:
        self.model = model
        self.tokens: list[int] = []
        # Rows before `filled` may have been filled from so many layers, none before the first.
        self.filled, self.filled_from = 0, model.layers
        self.forget_drafts()
        nothing = model.backbone.embed([], 0)
        self.segments = [SegmentState(model.backbone.new_cache(len(layers)), nothing) for layers in model.segments]

    @property
    def byte_count(self) -> int:
        """Bytes of K/V and waiting rows held."""
        return sum(segment.cache.byte_count + segment.queue.nbytes for segment in self.segments)

    def forget_drafts(self) -> None:
        """Forget how often drafts were right."""
        self.drafting, self.guess_record = Drafting(self.model), GuessRecord.of(self.model)

    def rewind(self, length: int) -> None:
        """Keep only the first `length` tokens and what was computed of them. Copies nothing."""
        supplied = len(self.tokens)
        for segment in self.segments:
            ran = segment.length
            segment.rewind(length, supplied)
            supplied = ran
        if length <= FIRST_ROWS:
            self.filled, self.filled_from = 0, self.model.layers
        self.filled = min(self.filled, length)
        del self.tokens[length:]

    def usable(self, same: int, rows: int, fill: int) -> int:
        """Return how many of the first `same` rows, which a text of `rows` has as well, a request may go on from.

        It fills after `fill` layers, or with 0 not at all; none may be used where one is less exact than it wants.
        Where fewer than half of its near rows would run, because the cursor moved up among filled ones, all of them do.
        """
        if not self.filled:
            return same
        filling = self.model.fillings.get(fill)
        if filling is None or fill > self.filled_from:
            return 0
        enough = rows - min(self.filled, same) >= filling.near // 2
        return same if enough else max(min(same, rows - filling.near), 0)

    @torch.inference_mode()
    def feed(self, tokens: Sequence[int]) -> None:
        """Append tokens; they wait in the first segment's queue. Raise `EngineError` past the context length."""
        start = len(self.tokens)
        if start + len(tokens) > self.model.backbone.shape.context_length:
            raise EngineError(
                f"{start + len(tokens)} tokens exceed the context of {self.model.backbone.shape.context_length}"
            )
        self._queue(0, self.model.backbone.embed(list(tokens), start))
        self.tokens.extend(tokens)

    @torch.inference_mode()
    def run(
        self,
        index: int,
        before_chunk: BeforeChunk = lambda rows, read: None,
        most: int | None = None,
        read: int | None = None,
    ) -> Tensor:
        """Run every row that waits for segment `index`; return their outputs [rows, hidden], queued for the next.

        Or the first of them, at `most` so many. Where only the last `read` rows will be looked at, the last layer of
        all may leave the others with no more than their keys and values, and what stands for them is no output.
        A segment without layers, behind an exit at full depth, passes its rows on.
        Where `before_chunk` raises, what has run stays valid.
        Raise `NumericalError` when an output is NaN or infinite.
        """
        segment, backbone = self.segments[index], self.model.backbone
        if not self.model.segments[index]:
            hidden, segment.queue = segment.queue, segment.queue[:0]
            segment.length += len(hidden)
            return hidden
        done: list[Tensor] = []
        try:
            left = segment.queue.shape[0] if most is None else min(most, segment.queue.shape[0])
            layers = self.model.segments[index]
            unread = max(left - read, 0) if read is not None and layers.stop == self.model.layers else 0
            while left:
                rows = min(left, CHUNK_ROWS)
                hidden = segment.queue if rows == segment.queue.shape[0] else segment.queue[:rows]
                looked_at = max(rows - unread, 0)
                before_chunk(rows, looked_at)
                hidden = backbone.run_layers(layers, hidden, segment.length, segment.cache, looked_at)
                unread -= rows - looked_at
                if not backbone.all_finite(hidden):
                    raise NumericalError(f"a hidden state after layer {self.model.depth(index)} is NaN or infinite")
                segment.length += rows
                segment.queue = segment.queue[rows:]
                left -= rows
                done.append(hidden)
        finally:  # whoever stops it, what has run goes on to the next queue, in one piece
            outputs = done[0] if len(done) == 1 else torch.cat([segment.queue[:0], *done])
            if index < self.model.last:
                self._queue(index + 1, outputs)
        return outputs

    @torch.inference_mode()
    def fill(self, depth: int, before: Callable[[float], BeforeChunk] = lambda layers: lambda rows, read: None) -> int:
        """Fill the rows far above the last one that wait behind the map of keys and values after `depth`; count them.

        Where there are enough of them, and nothing behind the map has run further than they. The rows before the first
        whole block of 16 are run. `before(layers)` gives what is called with rows that are about to run through so many
        layers, as `before_chunk` is for `run`.
        """
        model = self.model
        filling = model.fillings.get(depth)
        if filling is None:
            return 0
        deeper = range(filling.segment, len(model.segments))
        segment = self.segments[filling.segment]
        start, waiting = segment.length, segment.queue.shape[0]
        if any(self.segments[index].length < start for index in deeper):
            return 0
        first = -start % BLOCK_ROWS if start else FIRST_ROWS
        far = far_rows(waiting - first, filling.near)
        if not far:
            return 0
        for index in deeper if first else ():
            self.run(index, before(len(model.segments[index])), first, read=0)
        start += first
        before(filling.layers)(far, far)
        caches = [(model.segments[index], self.segments[index].cache) for index in deeper if model.segments[index]]
        filling.filler.fill(segment.queue[:far], start, caches)
        segment.queue = segment.queue[far:]
        self.filled, self.filled_from = start + far, min(self.filled_from, depth)
        for index in deeper:
            self.segments[index].length = self.filled
        return far

    def _queue(self, index: int, hidden: Tensor) -> None:
        segment = self.segments[index]
        segment.queue = torch.cat((segment.queue, hidden)) if segment.queue.shape[0] else hidden
