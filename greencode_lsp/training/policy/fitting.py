"""Fitting one exit's network to targets, with the epoch kept that does best on rows it has not seen."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from greencode_lsp.policy.learned import log_odds
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.inputs import Inputs
from greencode_lsp.training.policy.trace_set import Floats, TraceSet

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class FitOptions:
    """`width`s of the two hidden layers, and how long and how to train."""

    width: int = 128
    second_width: int = 64
    epochs: int = 4
    batch: int = 1024
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    seed: int = 420


class ExitNetwork(nn.Module):
    """The network of one exit: what it says of a state, and, where it confirms, once more of the token read there.

    Shapes: states [rows, hidden], log odds of the token [rows] to scores [rows, goals], the last of them the
    confirmation's where there is one.
    """

    def __init__(self, hidden: int, goals: int, options: FitOptions, confirms: bool) -> None:
        super().__init__()
        width, second = options.width, options.second_width
        self.first = nn.Sequential(nn.Linear(hidden, width), nn.Tanh())
        self.gate = nn.Sequential(nn.Linear(width, second), nn.Tanh(), nn.Linear(second, goals - confirms))
        self.confirms = confirms
        if confirms:
            self.confirm = nn.Sequential(nn.Linear(width + 1, second), nn.Tanh())
            self.confirm_out = nn.Linear(second + 1, 1)

    def forward(self, states: Tensor, sure: Tensor) -> Tensor:
        """Return the scores."""
        first = self.first(states)
        scores: Tensor = self.gate(first)
        if not self.confirms:
            return scores
        known = self.confirm(torch.cat([first, sure[:, None]], dim=1))
        return torch.cat([scores, self.confirm_out(torch.cat([known, sure[:, None]], dim=1))], dim=1)


def fit_exit(
    traces: TraceSet,
    held_out: TraceSet,
    inputs: Inputs,
    index: int,
    targets: Floats,
    held_out_targets: Floats,
    loss: Loss,
    options: FitOptions,
    report: Callable[[int, float], None],
    confirms: bool = False,
) -> ExitNetwork:
    """Fit the network of exit `index` to targets [R, goals]; `report(epoch, held-out loss)` follows each epoch.

    With `confirms`, the last goal is what is to be said when the token has been read. Raises `TrainingError` when the
    loss becomes NaN.
    """
    torch.manual_seed(options.seed + index)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = ExitNetwork(traces.hidden.shape[2], targets.shape[1], options, confirms).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    batches = math.ceil(len(traces) / options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=max(options.epochs * batches, 2), pct_start=0.1
    )
    random = np.random.default_rng(options.seed + index)

    def loss_of(source: TraceSet, values: Floats, rows: Any) -> Tensor:
        said = network(*(part.to(device) for part in seen(source, inputs, index, rows)))
        return loss(said, torch.from_numpy(values[rows].astype(np.float32)).to(device))

    def held_out_loss() -> float:
        total = 0.0
        with torch.inference_mode():
            for start in range(0, len(held_out), 8192):
                rows = np.arange(start, min(start + 8192, len(held_out)))
                total += float(loss_of(held_out, held_out_targets, rows)) * len(rows)
        return total / len(held_out)

    best, best_loss = copy.deepcopy(network.state_dict()), math.inf
    for epoch in range(options.epochs):
        for rows in np.array_split(random.permutation(len(traces)), batches):
            value = loss_of(traces, targets, np.sort(rows))
            optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        now = held_out_loss()
        if not math.isfinite(now):
            raise TrainingError(f"the loss at exit {traces.exits[index]} became {now}; try a lower --learning-rate")
        report(epoch, now)
        if now < best_loss:
            best, best_loss = copy.deepcopy(network.state_dict()), now
    network.load_state_dict(best)
    return network.cpu()


def seen(traces: TraceSet, inputs: Inputs, index: int, rows: Any) -> tuple[Tensor, Tensor]:
    """Return what a network sees of some rows: the states behind an exit, and how sure the exit is of its token."""
    states, sure = inputs.of(traces.hidden[rows, index], index), log_odds(traces.probability[rows, index])
    return torch.from_numpy(states), torch.from_numpy(sure)


def outputs(network: ExitNetwork, traces: TraceSet, inputs: Inputs, index: int) -> Floats:
    """Return what a network says of every row behind exit `index`: [R, goals]."""
    chunks = [slice(start, start + 8192) for start in range(0, len(traces), 8192)]
    with torch.inference_mode():
        said = [network(*seen(traces, inputs, index, rows)) for rows in chunks]
    return torch.cat(said).double().numpy()
