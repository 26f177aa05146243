"""Fitting a map of keys and values (`engine.kv_map`) by least squares, and measuring what it costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from greencode_lsp.engine import Backbone, EarlyExitModel, Runner, Session
from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.backbone import apply, normalise
from greencode_lsp.engine.kv_map import FIRST_ROWS, NEAR_ROWS, KvMap, far_rows
from greencode_lsp.training.calibration.calibrate import CONFIDENCE
from greencode_lsp.training.calibration.learn_then_test import FEWEST_PROJECTS, upper_limit
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.opened import OpenedModel
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.texts import Window

RIDGE = 1e-5
"""Of an input's mean square, 1 for normalised states: keeps the solution finite where inputs depend on each other."""


class LeastSquares:
    """The sums that a linear map [outputs, inputs] with a bias is solved from, in double precision."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self._squares = torch.zeros(inputs + 1, inputs + 1, dtype=torch.float64)
        self._products = torch.zeros(inputs + 1, outputs, dtype=torch.float64)
        self.rows = 0

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        """Take in rows of inputs [rows, inputs] and of what should come of them [rows, outputs]."""
        extended = torch.cat((inputs, inputs.new_ones(len(inputs), 1)), dim=1).double()
        self._squares += extended.T @ extended
        self._products += extended.T @ outputs.double()
        self.rows += len(inputs)

    def solve(self) -> Linear:
        """Return the map with the least sum of squared errors."""
        if self.rows < len(self._squares):
            raise TrainingError(f"{self.rows} tokens are too few to fit {len(self._squares)} numbers; give more")
        ridge = torch.eye(len(self._squares), dtype=torch.float64) * RIDGE * self.rows
        found = torch.linalg.solve(self._squares + ridge, self._products).T.float()
        return Linear(found[:, :-1].contiguous(), found[:, -1].contiguous())


@torch.inference_mode()
def fit_kv_map(
    runner: Runner, backbone: Backbone, depth: int, windows: Sequence[Window], lead: Sequence[int], report: Report
) -> KvMap:
    """Fit a map from states after `depth` layers, as a runner makes them, to all deeper keys and values.

    `backbone` has the same weights in floats. A text's first token, whose states are a hundred times larger than all
    others, is left out: it runs through all layers anyway. Raises `TrainingError` for too few tokens.
    """
    shape = runner.shape
    sums = LeastSquares(shape.hidden_size, (shape.layers - depth) * 2 * shape.kv_heads * shape.head_size)
    norm = KvMap(depth, Linear(torch.empty(0, shape.hidden_size))).norm(shape)
    for index, window in enumerate(windows):
        report("fitting", index, len(windows))
        tokens = [*lead, *map(int, window.ids)]
        hidden = runner.run_layers(range(depth), runner.embed(tokens, 0), 0, runner.new_cache(depth))
        inputs, outputs = normalise(shape, hidden.float(), norm), []
        for layer in range(depth, shape.layers):
            outputs.append(keys_and_values(backbone, layer, hidden.float()))
            hidden = runner.run_layers(range(layer, layer + 1), hidden, 0, runner.new_cache(1))
        sums.add(inputs[1:], torch.cat(outputs, dim=1)[1:])
    return KvMap(depth, sums.solve())


def keys_and_values(backbone: Backbone, index: int, hidden: Tensor) -> Tensor:
    """Return a layer's keys, not rotated, and values [rows, 2 * kv_heads * head_size] for what enters it."""
    shape, layer = backbone.shape, backbone.weights.layers[index]
    rows = slice(shape.heads * shape.head_size, None)
    part = Linear(layer.qkv.weight[rows], None if layer.qkv.bias is None else layer.qkv.bias[rows])
    both = apply(part, normalise(shape, hidden, layer.attention_norm))
    if layer.key_norm is None:
        return both
    keys, values = both.view(len(hidden), 2, shape.kv_heads, shape.head_size).unbind(1)
    return torch.stack((normalise(shape, keys, layer.key_norm), values), dim=1).flatten(1)


@dataclass(frozen=True)
class FilledWindow:
    """Of the tokens near the end of one text: how many full depth says right, also where those far above were filled.

    `same` counts on how many both say the same, the losses are sums in nats.
    """

    package: int
    tokens: int
    right: int
    right_filled: int
    same: int
    loss: float
    loss_filled: float


def fit_and_measure(
    opened: OpenedModel,
    backbone: Backbone,
    depth: int,
    fitting: Sequence[Window],
    checking: Sequence[Window],
    report: Report,
) -> tuple[KvMap, dict[str, float]]:
    """Fit a map, and measure on texts of other projects how many right tokens it loses; return it and the figures.

    Raises `TrainingError` for too few tokens, or too few projects with long texts to say anything of the loss.
    """
    found = fit_kv_map(opened.runner, backbone, depth, fitting, opened.material.lead, report)
    model = EarlyExitModel(opened.runner, opened.exits, opened.heads, found)
    if model.filler is None:
        raise TrainingError(f"keys and values are not filled on {opened.runner.device}; use --device cpu")
    measured = measure_filling(model, checking, opened.material.lead, report)
    figures = {**summary(measured), "map_layers": model.map_layers}
    return replace(found, upper_loss=figures["upper_loss"]), figures


def summary(measured: Sequence[FilledWindow]) -> dict[str, float]:
    """Return the loss as the mean over projects, its upper limit with 95 % confidence, and means over tokens."""
    projects: dict[int, list[FilledWindow]] = {}
    for window in measured:
        projects.setdefault(window.package, []).append(window)
    pairs = [(sum(one.right for one in texts), sum(one.right_filled for one in texts)) for texts in projects.values()]
    losses = np.array([1 - filled / right for right, filled in pairs if right])
    if len(losses) < FEWEST_PROJECTS:
        raise TrainingError(
            f"{len(losses)} projects have texts long enough to fill rows of; at least {FEWEST_PROJECTS} are needed to "
            "say what it loses: give more --check-tokens"
        )
    tokens = sum(one.tokens for one in measured)
    return {
        "texts": len(measured),
        "projects": len(losses),
        "tokens": tokens,
        "accuracy": sum(one.right for one in measured) / tokens,
        "accuracy_filled": sum(one.right_filled for one in measured) / tokens,
        "agreement": sum(one.same for one in measured) / tokens,
        "perplexity": math.exp(sum(one.loss for one in measured) / tokens),
        "perplexity_filled": math.exp(sum(one.loss_filled for one in measured) / tokens),
        "loss": float(losses.mean()),
        "upper_loss": max(upper_limit(losses, CONFIDENCE), 0.0),
    }


@torch.inference_mode()
def measure_filling(
    model: EarlyExitModel, windows: Sequence[Window], lead: Sequence[int], report: Report
) -> list[FilledWindow]:
    """Run texts with and without filling, and read all near tokens at full depth; short texts are left out."""
    found = []
    for index, window in enumerate(windows):
        report("measuring", index, len(windows))
        tokens = [*lead, *map(int, window.ids)]
        if not far_rows(len(tokens) - 1 - FIRST_ROWS):
            continue
        true = torch.tensor(tokens[-NEAR_ROWS:])
        exact, filled = (near_logits(model, tokens[:-1], fill) for fill in (False, True))
        said, said_filled = exact.argmax(dim=-1), filled.argmax(dim=-1)
        found.append(
            FilledWindow(
                package=window.package,
                tokens=len(true),
                right=int((said == true).sum()),
                right_filled=int((said_filled == true).sum()),
                same=int((said == said_filled).sum()),
                loss=float(functional.cross_entropy(exact, true, reduction="sum")),
                loss_filled=float(functional.cross_entropy(filled, true, reduction="sum")),
            )
        )
    return found


def near_logits(model: EarlyExitModel, tokens: Sequence[int], fill: bool) -> Tensor:
    """Return the logits at full depth [rows, vocabulary] of a text's near rows."""
    session = Session(model)
    session.feed(tokens)
    for segment in range(len(model.segments)):
        if fill and segment == model.filled_segment:
            session.fill()
        hidden = session.run(segment)
    return model.backbone.logits(hidden[-NEAR_ROWS:]).float()
