"""Optimal stopping by backward induction on traces (Longstaff and Schwartz 2001): the last exit first.

At each exit, what a row earns by leaving there (or by giving up) is compared with what it really earned by going deeper
and deciding as the networks already fitted say. What it earned, not what they expect: their errors do not add up.

A network learns the sign of that gain by logistic loss weighted with its size. Its score is then the logarithm of what
is expected to be won over what is expected to be lost: positive exactly where the expected gain is, and unlike a
regression of the gain, as precise where much is to be lost and little to be won, which is where exits are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor
from torch.nn.functional import softplus

from greencode_lsp.policy.learned import PolicyFile
from greencode_lsp.training.policy.export import finish, from_networks
from greencode_lsp.training.policy.fitting import FitOptions, fit_exit, outputs
from greencode_lsp.training.policy.inputs import fit_inputs
from greencode_lsp.training.policy.rewards import Rewards
from greencode_lsp.training.policy.trace_set import Floats, TraceSet
from greencode_lsp.training.progress import Report


def train_stopping(
    traces: TraceSet,
    held_out: TraceSet,
    rewards_of: Callable[[TraceSet], Rewards],
    options: FitOptions,
    report: Report,
) -> PolicyFile:
    """Fit the last exit's network first; at a score of 0 leaving is worth as much as going deeper."""
    inputs = fit_inputs(traces, "rms", options.seed)
    rewards, held_out_rewards = rewards_of(traces), rewards_of(held_out)
    later, held_out_later = np.zeros(len(traces)), np.zeros(len(held_out))
    networks = []
    for index in reversed(range(len(traces.exits))):
        goals, held_out_goals = gains(rewards, index, later), gains(held_out_rewards, index, held_out_later)
        stage = f"exit {traces.exits[index]}"
        network = fit_exit(
            traces,
            held_out,
            inputs,
            index,
            goals,
            held_out_goals,
            weighted_loss,
            options,
            lambda epoch, value, stage=stage: report(stage, epoch + 1, options.epochs),  # type: ignore[misc]
        )
        later = earned(rewards, index, later, outputs(network, traces, inputs, index))
        held_out_later = earned(held_out_rewards, index, held_out_later, outputs(network, held_out, inputs, index))
        networks.append(network)
    tensors = from_networks(networks[::-1], inputs)
    return finish(tensors, "stopping", inputs.kind, held_out, stops=rewards.stop is not None)


def gains(rewards: Rewards, index: int, later: Floats) -> Floats:
    """Return what leaving and what giving up earn more than going deeper does, as shares of their means: [R, 2]."""
    deeper = rewards.deeper[:, index] + later
    stop = np.zeros_like(deeper) if rewards.stop is None else rewards.stop[:, index] - deeper
    both = np.stack([rewards.leave[:, index] - deeper, stop], axis=1)
    return np.asarray(both / np.maximum(np.abs(both).mean(axis=0), 1e-9))


def weighted_loss(scores: Tensor, gains: Tensor) -> Tensor:
    """Return the logistic loss of the gains' signs, weighted with their sizes."""
    return (gains.abs() * softplus(-scores * gains.sign())).mean()


def earned(rewards: Rewards, index: int, later: Floats, scores: Floats) -> Floats:
    """Return what each row earns from exit `index` on if the network's scores [R, 2] decide there: [R]."""
    leave, stop = scores[:, 0] >= 0, scores[:, 1] > 0
    value = np.where(leave, rewards.leave[:, index], rewards.deeper[:, index] + later)
    return value if rewards.stop is None else np.where(stop, rewards.stop[:, index], value)
