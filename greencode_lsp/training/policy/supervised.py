"""A supervised gate: at each exit the probability that leaving here loses nothing (as Dr.LLM, arXiv 2510.12773).

Beside that a network learns how sure the exit would be of its word. Traces know, at run time it would take the head to
know: what is privileged in training (Vapnik and Vashist 2009). It says more about a state than a yes or no does, and so
the layers below learn more from as many tokens. The third score is left out of the file.
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

    The scores are logits: of leaving at no loss, and of full depth being wrong.
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
            )
        )
    return finish(from_networks(networks, inputs), "supervised", inputs.kind, held_out, stops=True)


def targets(traces: TraceSet, index: int, right: str) -> Floats:
    """Return what exit `index` is to say, [R, 3]: leaving here loses nothing, full depth is wrong, the exit is sure."""
    parts = (harmless(traces, right)[:, index], ~traces.right[:, -1], traces.probability[:, index])
    return np.stack(parts, axis=1).astype(float)


def harmless(traces: TraceSet, right: str) -> Floats:
    """Return how well leaving does, [R, E]: 1 where nothing is lost, 0 where something is.

    By agreement nothing is lost where full depth says the same, by the truth where it is no better. By both, what is
    another word and no worse counts half.
    """
    return weighed(right, traces.agrees, traces.right[:, :-1] | ~traces.right[:, -1:])
