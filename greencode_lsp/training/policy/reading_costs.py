"""How much more reading an exit costs than reading full depth: its translator, timed."""

import time
from statistics import median

import torch

from greencode_lsp.engine import EarlyExitModel

ROUNDS = 30


@torch.inference_mode()
def translator_shares(model: EarlyExitModel) -> tuple[float, ...]:
    """Return for each exit what its translator takes, as a share of what the head takes, for one row."""
    shape, runner = model.backbone.shape, model.backbone
    hidden = torch.ones(1, shape.hidden_size, dtype=runner.dtype, device=runner.device)
    seconds: list[list[float]] = [[] for _ in model.segments]
    for _ in range(ROUNDS):  # in turns, so that a busy moment is nobody's alone
        for segment, taken in enumerate(seconds):
            begun = time.perf_counter()
            model.most_likely(segment, hidden).tolist()
            taken.append(time.perf_counter() - begun)
    *exits, full = (median(taken) for taken in seconds)
    return tuple(max(taken / full - 1.0, 0.0) for taken in exits)
