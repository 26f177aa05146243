"""Layers that learn to be read early: the paper's aggregated loss, held to what the original model said.

After LITE (arXiv 2310.18581) and GREEN-CODE (arXiv 2501.11006, section 4): cross-entropy at every exit through one
shared head, weighted by depth. Ours: full depth also learns the original model's final distribution, so that it need
not get worse for the exits' sake, and exits that of full depth as it is in that step, which they are to stand for.
"""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from greencode_lsp.engine import Runner
from greencode_lsp.engine.backbone import Backbone, normalise
from greencode_lsp.training.exits.forward import TunableBackbone
from greencode_lsp.training.exits.heads import TrainableExits
from greencode_lsp.training.exits.losses import choose_taught, read_losses
from greencode_lsp.training.exits.packing import PackedTexts
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.traces.observe import observe
from greencode_lsp.training.traces.texts import Window

LOSS_ROWS = 1024
"""Rows that share candidates: more rows have more likely tokens among them."""


class TunedModel(nn.Module):
    """Layers and exit heads, learning together.

    `runner` computes layers as they were where it is given, and faster than here.
    """

    def __init__(self, backbone: Backbone, recipe: Recipe, runner: Runner | None = None) -> None:
        super().__init__()
        layers, final_norm = backbone.shape.layers, backbone.weights.final_norm
        self.depths = (*recipe.exits, layers)
        self.layers = TunableBackbone(backbone, recipe)
        self.heads = TrainableExits(backbone.shape, final_norm, recipe.exits, recipe.width, recipe.seed)
        self._runner = runner

    def forward(self, tokens: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return what the shared head reads at every exit and, last, at full depth, for texts [texts, tokens].

        And what it read at full depth of the original model. Each is [rows, hidden], of all tokens but the last.
        """
        layers, frozen = self.layers, self.layers.frozen_layers
        states = self.original(tokens, {*(depth for depth in self.depths if depth <= frozen), frozen, self.depths[-1]})
        taught = states[self.depths[-1]]
        states |= layers(states[frozen], self.depths)
        *early, final = (states[depth].flatten(0, 1) for depth in self.depths)
        read = self.heads(torch.stack(early, dim=-2))
        final, taught = (normalise(layers.shape, one, layers.base.final_norm) for one in (final, taught.flatten(0, 1)))
        return [*read, final], taught

    @torch.no_grad()
    def original(self, tokens: Tensor, depths: Collection[int]) -> dict[int, Tensor]:
        """Return the states by depth of the layers as they were, [texts, tokens - 1, hidden] each."""
        if self._runner is None:
            return self.layers.original(tokens[:, :-1], depths)
        early = sorted(set(depths) - {self.layers.shape.layers})
        seen = [observe(self._runner, text.tolist(), early, ()) for text in tokens]
        found = {depth: torch.stack([one.hidden[:, place] for one in seen]) for place, depth in enumerate(early)}
        found |= {self.layers.shape.layers: torch.stack([one.final for one in seen])}
        return {depth: states.float() for depth, states in found.items()}  # layers that learn are in float32

    def measure(self, tokens: Tensor) -> None:
        """Set how large exits' translators are by the states of texts [texts, tokens]; before training only."""
        states = self.original(tokens, self.depths)
        self.heads.measure(torch.stack([states[depth].flatten(0, 1) for depth in self.depths[:-1]], dim=-2))


class TunedTask:
    """Trains layers and exits on packed texts."""

    module: nn.Module

    def __init__(
        self,
        backbone: Backbone,
        recipe: Recipe,
        texts: PackedTexts,
        kept: Sequence[Window],
        runner: Runner | None = None,
    ) -> None:
        self.model = TunedModel(backbone, recipe, runner).to(backbone.device)
        self.module = self.model
        self._head, self._device = backbone.weights.head, backbone.device
        self._recipe, self._texts, self._kept = recipe, texts, kept
        self.model.measure(self._tokens(kept[0]))
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
        """Return the aggregated loss, and agreements: of exits with full depth, of that with the original model."""
        epoch, texts = part
        tokens = torch.stack([self._texts.text(epoch, index) for index in texts]).to(self._device)
        return self._losses(module, tokens, self._recipe.drawn, step)

    @torch.no_grad()
    def score(self, module: nn.Module) -> dict[str, float]:
        """Return figures on held-out windows; the score is the aggregated loss, negated."""
        sums: dict[str, float] = {}
        rows = 0
        for window in self._kept:
            tokens = self._tokens(window)
            loss, figures = self._losses(module, tokens, drawn=0)
            rows += tokens.shape[1] - 1
            for name, value in {"score": -float(loss), **figures}.items():
                sums[name] = sums.get(name, 0.0) + value * (tokens.shape[1] - 1)
        return {name: total / rows for name, total in sums.items()}

    def _tokens(self, window: Window) -> Tensor:
        return torch.tensor([[int(token) for token in window.ids]], device=self._device)

    def _losses(self, module: nn.Module, tokens: Tensor, drawn: int, step: int = 0) -> tuple[Tensor, dict[str, float]]:
        states, original = module(tokens)
        true = tokens[:, 1:].flatten()
        total = torch.zeros((), device=tokens.device)
        figures: dict[str, float] = {}
        for rows in torch.split(torch.arange(len(true), device=tokens.device), LOSS_ROWS):
            lesson = choose_taught(self._head, states[-1].detach()[rows], true[rows], drawn, step)
            before = lesson.said(original[rows])
            likelihood = before.gather(1, lesson.candidates.true[:, None]).clamp_min(torch.finfo(before.dtype).tiny)
            found = {"original_loss": -likelihood.log().mean()}
            for depth, state in zip(self.model.depths, states, strict=True):
                # Logits at ten depths would not fit; they are computed again for the gradient.
                loss, truth, agreement = checkpoint(
                    read_losses,
                    lesson.head,
                    state[rows],
                    lesson.candidates,
                    lesson.teacher if depth < self.model.depths[-1] else before,
                    self._recipe.true_share,
                    use_reentrant=False,
                )
                total = total + self._weights[depth] * loss * (len(rows) / len(true))
                found |= {f"loss_{depth}": truth, f"agreement_{depth}": agreement}
            for name, mean in found.items():
                figures[name] = figures.get(name, 0.0) + float(mean) * len(rows) / len(true)
        return total, figures
