"""A supervised gate: at each exit the probability that leaving here loses nothing (as Dr.LLM, arXiv 2510.12773).

Beside that a network learns how sure the exit would be of its word. Traces know, at run time it would take the head to
know: what is privileged in training (Vapnik and Vashist 2009). It says more about a state than a yes or no does, and so
the layers below learn more from as many tokens. That score is left out of the file.

Where the gate would leave, the token is read, which leaving costs anyhow, and a second network says once more how
likely it is that leaving loses nothing, now that it sees how sure the exit is. Both learn together, from one first
layer.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from greencode_lsp.policy.learned import PolicyFile
from greencode_lsp.training.policy.export import finish, from_networks
from greencode_lsp.training.policy.fitting import FitOptions, fit_exit
from greencode_lsp.training.policy.inputs import fit_inputs
from greencode_lsp.training.policy.rewards import weighed
from greencode_lsp.training.policy.trace_set import Floats, TraceSet
from greencode_lsp.training.progress import Report


def train_supervised(
    traces: TraceSet,
    held_out: TraceSet,
    right: str,
    options: FitOptions,
    report: Report,
    focal: float = 0.0,
) -> PolicyFile:
    """Fit by logistic loss; `focal` > 0 weighs down what is already sure (arXiv 1708.02002).

    The scores are logits: of leaving at no loss, of full depth being wrong, and, once the token has been read, of
    leaving at no loss again.
    """

    def loss(scores: Tensor, wanted: Tensor) -> Tensor:
        each = binary_cross_entropy_with_logits(scores, wanted, reduction="none")
        if focal:
            each = each * (1 - (-each).exp()) ** focal
        return each.mean()

    inputs = fit_inputs(traces, "rms", options.seed)
    networks = []
    for index in range(len(traces.exits)):
        goals, held_out_goals = targets(traces, index, right), targets(held_out, index, right)
        stage = f"exit {traces.exits[index]}"
        networks.append(
            fit_exit(
                traces,
                held_out,
                inputs,
                index,
                goals,
                held_out_goals,
                loss,
                options,
                lambda epoch, value, stage=stage: report(stage, epoch + 1, options.epochs),  # type: ignore[misc]
                confirms=True,
            )
        )
    return finish(from_networks(networks, inputs), "supervised", inputs.kind, held_out, stops=True)


def targets(traces: TraceSet, index: int, right: str) -> Floats:
    """Return what exit `index` is to say, [R, 4].

    Leaving here loses nothing, full depth is wrong, the exit is sure; and, when it has been read, the first once more.
    """
    loses_nothing = harmless(traces, right)[:, index]
    parts = (loses_nothing, ~traces.right[:, -1], traces.probability[:, index], loses_nothing)
    return np.stack(parts, axis=1).astype(float)


def harmless(traces: TraceSet, right: str) -> Floats:
    """Return how well leaving does, [R, E]: 1 where nothing is lost, 0 where something is.

    By agreement nothing is lost where full depth says the same, by the truth where it is no better. By both, what is
    another word and no worse counts half.
    """
    return weighed(right, traces.agrees, traces.right[:, :-1] | ~traces.right[:, -1:])
