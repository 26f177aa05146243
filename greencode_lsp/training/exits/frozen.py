"""Exit heads on frozen layers (EE-Tuning, arXiv 2402.00518; tuned lens, arXiv 2303.08112), taught by full depth."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.backbone import Backbone, apply
from greencode_lsp.training.exits.heads import TrainableExits
from greencode_lsp.training.exits.losses import choose_candidates, exit_loss, head_rows, seeded
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.exits.states import Source, States

SCORE_ROWS = 512


class FrozenTask:
    """Trains the heads of all exits at once; they share states and candidates, and nothing that learns."""

    module: nn.Module

    def __init__(self, backbone: Backbone, recipe: Recipe, source: Source, validation: States) -> None:
        shape, device = backbone.shape, backbone.device
        weights = backbone.weights
        self.heads = TrainableExits(shape, weights.final_norm, recipe.exits, recipe.width, recipe.seed).to(device)
        self.heads.measure(validation.hidden)
        self.module, self.steps = self.heads, source.steps
        self._head, self._vocabulary = weights.head, shape.vocabulary_size
        self._recipe, self._source, self._validation = recipe, source, validation
        exits = [recipe.loss_weights()[depth] for depth in recipe.exits]
        self._weights = [weight / sum(exits) for weight in exits]

    def parts(self, step: int) -> Sequence[Any]:
        """Return descriptions of a step's micro-batches."""
        return self._source.parts(step)

    def loss(self, module: nn.Module, part: Any, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return the weighted loss over all exits, and each exit's agreement with full depth."""
        states = self._source.states(part).to(self._head.weight.device)
        candidates = choose_candidates(
            states.likely, states.likelihood, states.true, self._vocabulary, self._recipe.drawn, seeded(step)
        )
        rows = head_rows(self._head, candidates.ids)
        total = torch.zeros((), device=states.true.device)
        figures: dict[str, float] = {}
        read: list[Tensor] = module(states.hidden.float())
        for depth, weight, hidden in zip(self._recipe.exits, self._weights, read, strict=True):
            loss, agreement = exit_loss(apply(rows, hidden), candidates, self._recipe.true_share)
            total = total + weight * loss
            figures[f"agreement_{depth}"] = float(agreement)
        return total, figures

    def score(self, module: nn.Module) -> dict[str, float]:
        """Return each exit's agreement with full depth over the whole vocabulary; the score is their mean."""
        return agreements(module, self._recipe.exits, self._head, self._validation)


@torch.inference_mode()
def agreements(module: nn.Module, exits: Sequence[int], head: Linear, states: States) -> dict[str, float]:
    """Return how often each exit's likeliest token is full depth's, how often the true one, and its loss in nats."""
    sums: dict[str, float] = {}
    for start in range(0, len(states), SCORE_ROWS):
        part = States(*(tensor[start : start + SCORE_ROWS].to(head.weight.device) for tensor in vars(states).values()))
        for depth, hidden in zip(exits, module(part.hidden.float()), strict=True):
            logits = apply(head, hidden.to(head.weight.dtype)).float()
            likeliest = logits.argmax(dim=-1)
            for name, value in (
                ("agreement", (likeliest == part.likely[:, 0]).sum()),
                ("accuracy", (likeliest == part.true).sum()),
                ("loss", functional.cross_entropy(logits, part.true, reduction="sum")),
            ):
                key = f"{name}_{depth}"
                sums[key] = sums.get(key, 0.0) + float(value)
    means = {name: total / len(states) for name, total in sums.items()}
    return {"score": sum(means[f"agreement_{depth}"] for depth in exits) / len(exits), **means}
