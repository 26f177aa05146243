"""A first map of keys and values, by least squares: what comes nearest to the keys and values themselves."""

from collections.abc import Sequence

import torch
from torch import Tensor

from greencode_lsp.engine import Backbone, Runner
from greencode_lsp.engine.architecture import Linear, plain_norm
from greencode_lsp.engine.backbone import apply, normalise
from greencode_lsp.training.errors import TrainingError
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
) -> Linear:
    """Fit a map from states after `depth` layers, as a runner makes them, to all deeper keys and values.

    `backbone` has the same weights in floats. A text's first token, whose states are a hundred times larger than all
    others, is left out: it runs through all layers anyway. Raises `TrainingError` for too few tokens.
    """
    shape = runner.shape
    sums = LeastSquares(shape.hidden_size, (shape.layers - depth) * 2 * shape.kv_heads * shape.head_size)
    norm = plain_norm(shape)
    for index, window in enumerate(windows):
        report("fitting", index, len(windows))
        tokens = [*lead, *map(int, window.ids)]
        hidden = runner.run_layers(range(depth), runner.embed(tokens, 0), 0, runner.new_cache(depth))
        inputs, outputs = normalise(shape, hidden.float(), norm), []
        for layer in range(depth, shape.layers):
            outputs.append(keys_and_values(backbone, layer, hidden.float()))
            hidden = runner.run_layers(range(layer, layer + 1), hidden, 0, runner.new_cache(1))
        sums.add(inputs[1:], torch.cat(outputs, dim=1)[1:])
    return sums.solve()


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
