"""One teacher-forced pass over a text: the hidden states of every exit and of full depth."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from greencode_lsp.engine import NumericalError, Runner
from greencode_lsp.training.errors import TrainingError


@dataclass(frozen=True)
class Observed:
    """What the layers make of a text but its last token, and the tokens that really followed.

    Shapes: hidden [rows, exits, hidden] (raw layer outputs), final [rows, hidden], true [rows].
    """

    hidden: Tensor
    final: Tensor
    true: Tensor


@torch.inference_mode()
def observe(runner: Runner, ids: Sequence[int] | NDArray[Any], exits: Sequence[int], lead: Sequence[int]) -> Observed:
    """Run a text of at least two tokens through all layers.

    Raises `TrainingError` for a text that the model's context does not hold, `NumericalError` when a state is NaN or
    infinite. `lead` are tokens that come before any text (a beginning-of-text token); they are read and not observed.
    """
    tokens, skipped = [*lead, *(int(token) for token in ids)], len(lead)
    rows, most = len(tokens) - 1, runner.shape.context_length
    if rows > most:
        raise TrainingError(f"a text of {rows} tokens exceeds the model's context of {most}; lower --context")
    hidden = runner.embed(tokens[:-1], 0)
    states = []
    for low, high in pairwise((0, *exits, runner.shape.layers)):
        if low < high:
            hidden = runner.run_layers(range(low, high), hidden, 0, runner.new_cache(high - low))
        if not bool(torch.isfinite(hidden).all()):
            raise NumericalError(f"a hidden state after layer {high} is NaN or infinite")
        states.append(hidden[skipped:])
    true = torch.tensor(tokens[skipped + 1 :], device=hidden.device)
    *early, final = states
    hidden = torch.stack(early, dim=1) if early else final.new_empty((len(final), 0, final.shape[1]))
    return Observed(hidden, final, true)
