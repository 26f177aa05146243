"""Layers that learn to be read early: the paper's aggregated loss, held to what the original model said.

After LITE (arXiv 2310.18581) and GREEN-CODE (arXiv 2501.11006, section 4): cross-entropy at every exit through one
shared head, weighted by depth. Ours: every depth also learns the original model's final distribution, so that full
depth need not get worse for the exits' sake.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.backbone import Backbone, apply, normalise
from greencode_lsp.training.exits.forward import TunableBackbone
from greencode_lsp.training.exits.heads import TrainableExits
from greencode_lsp.training.exits.packing import PackedTexts
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.traces.texts import Window


class TunedModel(nn.Module):
    """Layers and exit heads, learning together."""

    def __init__(self, backbone: Backbone, recipe: Recipe) -> None:
        super().__init__()
        layers, final_norm = backbone.shape.layers, backbone.weights.final_norm
        self.depths = (*recipe.exits, layers)
        self.layers = TunableBackbone(backbone, recipe.mode, recipe.rank, recipe.gradient_checkpointing, recipe.seed)
        self.heads = TrainableExits(backbone.shape, final_norm, recipe.exits, recipe.width, recipe.seed)

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """Return what the shared head reads at every exit and, last, at full depth, [texts, rows, hidden] each."""
        *states, final = self.layers(tokens, self.depths)
        read: list[Tensor] = self.heads(torch.stack(states, dim=-2).flatten(0, 1))
        final = normalise(self.layers.shape, final, self.layers.base.final_norm)
        return [*(one.view_as(final) for one in read), final]

    @torch.no_grad()
    def original(self, tokens: Tensor) -> Tensor:
        """Return what the head reads at full depth of the original model, [texts, rows, hidden]."""
        (final,) = self.layers(tokens, (self.layers.shape.layers,), original=True)
        return normalise(self.layers.shape, final, self.layers.base.final_norm)


class TunedTask:
    """Trains layers and exits on packed texts."""

    module: nn.Module

    def __init__(self, backbone: Backbone, recipe: Recipe, texts: PackedTexts, kept: Sequence[Window]) -> None:
        self.model = TunedModel(backbone, recipe).to(backbone.device)
        self.module = self.model
        self._head, self._device = backbone.weights.head, backbone.device
        self._recipe, self._texts, self._kept = recipe, texts, kept
        self._weights = recipe.loss_weights()
        self._texts_per_part = max(1, recipe.micro_batch_tokens // recipe.context)
        self._texts_per_step = max(self._texts_per_part, recipe.batch_tokens // recipe.context)
        self._steps_per_epoch = max(1, texts.texts // self._texts_per_step)
        self.steps = self._steps_per_epoch * recipe.epochs

    def parts(self, step: int) -> Sequence[tuple[int, list[int]]]:
        """Return the epoch and the texts of each micro-batch."""
        epoch, place = divmod(step, self._steps_per_epoch)
        first = place * self._texts_per_step
        texts = list(range(first, min(first + self._texts_per_step, self._texts.texts)))
        size = self._texts_per_part
        return [(epoch, texts[start : start + size]) for start in range(0, len(texts), size)]

    def loss(self, module: nn.Module, part: Any, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return the aggregated loss, and each depth's agreement with the original model."""
        epoch, texts = part
        tokens = torch.stack([self._texts.text(epoch, index) for index in texts]).to(self._device)
        return self._losses(module, tokens)

    @torch.no_grad()
    def score(self, module: nn.Module) -> dict[str, float]:
        """Return figures on held-out windows; the score is the aggregated loss, negated."""
        sums: dict[str, float] = {}
        rows = 0
        for window in self._kept:
            tokens = torch.tensor([[int(token) for token in window.ids]], device=self._device)
            loss, figures = self._losses(module, tokens)
            rows += tokens.shape[1] - 1
            for name, value in {"score": -float(loss), **figures}.items():
                sums[name] = sums.get(name, 0.0) + value * (tokens.shape[1] - 1)
        return {name: total / rows for name, total in sums.items()}

    def _losses(self, module: nn.Module, tokens: Tensor) -> tuple[Tensor, dict[str, float]]:
        true = tokens[:, 1:].flatten()
        with torch.no_grad():
            taught = apply(self._head, self.model.original(tokens)[:, :-1].flatten(0, 1)).float()
        teacher, likeliest = taught.softmax(dim=-1), taught.argmax(dim=-1)
        figures = {"original_loss": float(functional.cross_entropy(taught, true))}
        total = torch.zeros((), device=tokens.device)
        for depth, state in zip(self.model.depths, module(tokens), strict=True):
            hidden = state[:, :-1].flatten(0, 1)
            # Logits over the vocabulary at ten depths would not fit; they are computed again for the gradient.
            loss, truth, agreement = checkpoint(
                read_losses, self._head, hidden, teacher, likeliest, true, self._recipe.true_share, use_reentrant=False
            )
            total = total + self._weights[depth] * loss
            figures[f"loss_{depth}"], figures[f"agreement_{depth}"] = float(truth), float(agreement)
        return total, figures


def read_losses(
    head: Linear, hidden: Tensor, teacher: Tensor, likeliest: Tensor, true: Tensor, true_share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return one depth's loss, its cross-entropy with the tokens that came, and its agreement with the original.

    Shapes: hidden [rows, hidden], teacher [rows, vocabulary] (the original's probabilities), likeliest, true [rows].
    """
    logits = apply(head, hidden).float()
    scores = logits.log_softmax(dim=-1)
    distilled = -(teacher * scores).sum(dim=-1).mean()
    truth = functional.nll_loss(scores, true)
    agreement = (logits.argmax(dim=-1) == likeliest).float().mean()
    return torch.lerp(distilled, truth, true_share), truth.detach(), agreement
