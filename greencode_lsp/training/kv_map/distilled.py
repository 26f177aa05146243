"""A map of keys and values that learns from those who read them, until they say what they said without it.

Least squares bring all keys and values equally near; which of them matter only the rows know that attend to them. So
rows run through the deep layers with filled rows above them, near ones first, and the map learns to have full depth's
distribution come of that in the rows that are read behind those. SwiftKV (arXiv 2410.03960) distils its projections
so, queries among them; here the layers stay. What learns is rounded in every step to the 4 bits it is computed in.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from greencode_lsp.engine import Backbone, Runner
from greencode_lsp.engine.architecture import Linear, plain_norm
from greencode_lsp.engine.backbone import Rows, normalise, rotate
from greencode_lsp.engine.grid import fits_grid
from greencode_lsp.engine.kv_map import FIRST_ROWS, KvMap, far_rows
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.changes import rounded
from greencode_lsp.training.exits.losses import choose_taught, read_losses
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.kv_map.measured import READ_ROWS
from greencode_lsp.training.traces.observe import observe
from greencode_lsp.training.traces.texts import Window


class FilledLayers(nn.Module):
    """The layers behind a map's depth, which stay as they are, for texts whose far rows are filled by the map."""

    def __init__(self, backbone: Backbone, found: KvMap) -> None:
        super().__init__()
        assert found.linear.bias is not None, "what is fitted has one"
        self.weight, self.bias = nn.Parameter(found.linear.weight.clone()), nn.Parameter(found.linear.bias.clone())
        self._backbone, self._begun, self._norm = backbone, found, plain_norm(backbone.shape)

    def forward(self, hidden: Tensor, far: int) -> Tensor:
        """Return the final states [behind, hidden] of the rows behind `far` filled ones, which are not the first 16.

        `hidden` [rows, hidden] are the states of a whole text after the map's depth.
        """
        backbone, shape, count = self._backbone, self._backbone.shape, len(hidden)
        places = torch.arange(count, device=hidden.device)
        first, filled, behind = torch.split(places, [FIRST_ROWS, far, count - FIRST_ROWS - far])
        ran = torch.cat((first, behind))
        keys, values = self._mapped(hidden[filled], filled)
        # Filled rows lie before those that run: attention knows no order but the mask's and the rotations'.
        hides = torch.cat((filled, ran)) > ran[:, None]
        mask = torch.zeros(hides.shape, device=hidden.device).masked_fill(hides, -torch.inf)
        group = shape.heads // shape.kv_heads
        rows = Rows(slice(far, count), count, backbone.rotations(ran), mask.repeat(group, 1))
        hidden, room = hidden[ran], keys.new_zeros(shape.kv_heads, len(ran), shape.head_size)
        for place, layer in enumerate(backbone.weights.layers[self._begun.depth :]):
            both = (torch.cat((mapped[place], room), dim=1) for mapped in (keys, values))
            hidden = backbone.run_layer(layer, hidden, rows, *both)
        return hidden[FIRST_ROWS:]

    def _mapped(self, hidden: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values [layers behind, kv_heads, rows, head_size] of rows at these places."""
        shape, backbone = self._backbone.shape, self._backbone
        weight = rounded(self.weight) if fits_grid(self.weight) else self.weight
        mapped = functional.linear(normalise(shape, hidden, self._norm), weight, self.bias).float()
        both = mapped.view(len(hidden), -1, 2, shape.kv_heads, shape.head_size)
        keys, values = both[:, :, 0], both[:, :, 1]
        rotations = backbone.rotations(places)
        if rotations is not None:
            keys = rotate(keys.flatten(1, 2), *rotations).view_as(keys)
        return keys.permute(1, 2, 0, 3), values.permute(1, 2, 0, 3)

    def learned(self) -> KvMap:
        """Return the map, without gradients."""
        return replace(self._begun, linear=Linear(self.weight.detach().clone(), self.bias.detach().clone()))


class MapTask:
    """Trains a map on texts, one micro-batch each; those too short to be filled are left out."""

    module: nn.Module

    def __init__(
        self,
        runner: Runner,
        backbone: Backbone,
        found: KvMap,
        recipe: Recipe,
        texts: tuple[Sequence[Window], Sequence[Window]],
        lead: Sequence[int],
    ) -> None:
        self.layers = FilledLayers(backbone, found)
        self.module = self.layers
        self._runner, self._backbone, self._depth, self._near = runner, backbone, found.depth, found.near
        self._recipe, self._lead = recipe, lead
        self._windows, self._kept = ([one for one in windows if self._far(one)] for windows in texts)
        self._texts_per_step = max(1, recipe.batch_tokens // recipe.context)
        self.steps = len(self._windows) // self._texts_per_step
        if not self.steps or not self._kept:
            raise TrainingError(
                f"of {len(texts[0])} texts to learn from and {len(texts[1])} to score by too few are long enough for "
                "rows to be filled; give more tokens"
            )

    def parts(self, step: int) -> Sequence[Window]:
        """Return the texts of a step."""
        return self._windows[step * self._texts_per_step : (step + 1) * self._texts_per_step]

    def loss(self, module: nn.Module, part: Any, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return how far the read tokens' distributions are from full depth's, in nats (Kullback-Leibler)."""
        divergence, agreement = self._divergence(module, part, self._recipe.drawn, step)
        return divergence, {"agreement": agreement}

    @torch.no_grad()
    def score(self, module: nn.Module) -> dict[str, float]:
        """Return the same over the whole vocabulary on texts that are kept for it; the score is its negative."""
        sums = {"divergence": 0.0, "agreement": 0.0}
        for window in self._kept:
            divergence, agreement = self._divergence(module, window, drawn=0)
            sums["divergence"] += float(divergence)
            sums["agreement"] += agreement
        means = {name: total / len(self._kept) for name, total in sums.items()}
        return {"score": -means["divergence"], **means}

    def _far(self, window: Window) -> int:
        return far_rows(len(self._lead) + len(window.ids) - 1 - FIRST_ROWS - READ_ROWS, self._near)

    def _divergence(self, module: nn.Module, window: Window, drawn: int, step: int = 0) -> tuple[Tensor, float]:
        seen = observe(self._runner, [*self._lead, *map(int, window.ids)], (self._depth,), ())
        read, shape, norm = slice(-READ_ROWS, None), self._backbone.shape, self._backbone.weights.final_norm
        said = normalise(shape, module(seen.hidden[:, 0].float(), self._far(window))[read], norm)
        original = normalise(shape, seen.final[read].float(), norm)
        lesson = choose_taught(self._backbone.weights.head, original, seen.true[read], drawn, step)
        loss, _, agreement = read_losses(lesson.head, said, lesson.candidates, lesson.teacher, 0.0)
        return loss - torch.special.entr(lesson.teacher).sum(dim=-1).mean(), float(agreement)
