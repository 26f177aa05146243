"""A drafter that learns what full depth says one token later, and behind its own draft one more."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from greencode_lsp.engine import Backbone
from greencode_lsp.engine.backbone import apply, normalise
from greencode_lsp.training.drafter.finals import Finals, RecordedFinals
from greencode_lsp.training.drafter.trainable import TrainableDrafter
from greencode_lsp.training.exits.losses import head_rows

DRAFTS = 2
"""Tokens drafted behind one another, each with a state that the one before it made up."""


class DrafterTask:
    """Trains a drafter on recorded states, by full depth's distributions over the tokens that it is taught of."""

    module: nn.Module

    def __init__(
        self, begun: TrainableDrafter, backbone: Backbone, recorded: RecordedFinals, kept: Sequence[Finals]
    ) -> None:
        self.module, self.steps = begun, recorded.steps
        self._backbone, self._recorded, self._kept = backbone, recorded, kept
        self._head = head_rows(backbone.weights.head, begun.taught)

    def parts(self, step: int) -> Sequence[Any]:
        """Return the blocks of a step."""
        return self._recorded.parts(step)

    def loss(self, module: nn.Module, part: Any, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return the mean cross-entropy of all drafts, and how often each is what full depth says of those tokens."""
        loss, agreements = self._drafted(module, [self._recorded.read(int(block)) for block in part])
        return loss, {f"agreement_{place}": agreement for place, agreement in enumerate(agreements, 1)}

    @torch.no_grad()
    def score(self, module: nn.Module) -> dict[str, float]:
        """Return the same on texts that are kept for it; the score is the first draft's agreement."""
        names = ["loss", *(f"agreement_{place}" for place in range(1, DRAFTS + 1))]
        sums, rows = dict.fromkeys(names, 0.0), sum(len(one.true) for one in self._kept)
        for one in self._kept:
            loss, agreements = self._drafted(module, [one])
            for name, value in zip(names, (float(loss), *agreements), strict=True):
                sums[name] += value * len(one.true) / rows
        return {"score": sums["agreement_1"], **sums}

    def _drafted(self, module: nn.Module, stretches: Sequence[Finals]) -> tuple[Tensor, list[float]]:
        """Draft behind all rows of some stretches but the last; return the mean loss, and each draft's agreement."""
        final, true, text = (torch.cat([getattr(one, name) for one in stretches]) for name in ("final", "true", "text"))
        ends = torch.tensor([len(one.true) for one in stretches]).cumsum(dim=0).tolist()
        starts = [0, *ends[:-1]]
        rows = torch.cat([torch.arange(start, end - DRAFTS) for start, end in zip(starts, ends, strict=True)])
        taught, states = self._taught(final), final[rows]
        losses, agreements = [], []
        for place in range(1, DRAFTS + 1):
            read, states = module(states, true[rows + place - 1])
            same_text = text[rows] == text[rows + place]
            logits, lesson = apply(self._head, read[same_text]).float(), taught[(rows + place)[same_text]]
            losses.append(functional.cross_entropy(logits, lesson))
            agreements.append(float((logits.argmax(dim=1) == lesson.argmax(dim=1)).float().mean()))
        return torch.stack(losses).mean(), agreements

    @torch.no_grad()
    def _taught(self, final: Tensor) -> Tensor:
        """Return full depth's distributions over the tokens it is taught of, [rows, tokens]."""
        states = normalise(self._backbone.shape, final, self._backbone.weights.final_norm)
        return apply(self._head, states).float().softmax(dim=1)
