"""Where hidden states enter and leave captured computations."""

import torch
from torch import Tensor

from greencode_lsp.engine.backbone import Backbone
from greencode_lsp.engine.cuda.buckets import MOST_ROWS


class Buffers:
    """What every computation of a runner shares: they run one after another on one stream.

    Shapes: entering, leaving [16, hidden]; offsets [16], which count from 0.
    """

    def __init__(self, plain: Backbone) -> None:
        with torch.inference_mode(False):
            self.entering = torch.zeros(MOST_ROWS, plain.shape.hidden_size, dtype=plain.dtype, device=plain.device)
            self.leaving = torch.zeros_like(self.entering)
            self.offsets = torch.arange(MOST_ROWS, device=plain.device)

    def enter(self, hidden: Tensor, bucket: int) -> None:
        """Put hidden [rows, hidden] down, and zeros behind it up to `bucket` rows."""
        rows = len(hidden)
        self.entering[:rows].copy_(hidden)
        if rows < bucket:
            self.entering[rows:bucket].zero_()

    def leave(self, rows: int) -> Tensor:
        """Return a copy [rows, hidden] of what has left: the next computation overwrites it."""
        return self.leaving[:rows].clone()
