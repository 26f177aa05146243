"""Measuring what a map of keys and values costs: next tokens, with and without filling."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from greencode_lsp.engine import EarlyExitModel, Session
from greencode_lsp.engine.kv_map import FIRST_ROWS, far_rows
from greencode_lsp.training.calibration.calibrate import CONFIDENCE
from greencode_lsp.training.calibration.learn_then_test import FEWEST_PROJECTS, upper_limit
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.texts import Window

READ_ROWS = 128
"""The last rows of a text, which are read: the cursor stands before them, so that none is filled, nor near."""


@dataclass(frozen=True)
class FilledWindow:
    """Of the tokens that end one text: how many full depth says right, also where rows far above them were filled.

    `same` counts on how many both say the same, the losses are sums in nats.
    """

    package: int
    tokens: int
    right: int
    right_filled: int
    same: int
    loss: float
    loss_filled: float


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
    model: EarlyExitModel, depth: int, windows: Sequence[Window], lead: Sequence[int], report: Report
) -> list[FilledWindow]:
    """Run texts with and without filling after `depth` layers, and read the last rows; short texts are left out."""
    found, near = [], model.fillings[depth].near
    for index, window in enumerate(windows):
        report("measuring", index, len(windows))
        tokens = [*lead, *map(int, window.ids)]
        if not far_rows(len(tokens) - 1 - FIRST_ROWS - READ_ROWS, near):
            continue
        true = torch.tensor(tokens[-READ_ROWS:])
        exact, filled = (read_logits(model, tokens[:-1], fill) for fill in (0, depth))
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


def read_logits(model: EarlyExitModel, tokens: Sequence[int], fill: int) -> Tensor:
    """Return the logits at full depth [rows, vocabulary] of a text's last rows, those above filled after `fill` or not.

    As in a completion: what stands before the cursor is filled as far as it may be, and what comes behind is run.
    """
    session = Session(model)
    for part, filling in ((tokens[:-READ_ROWS], fill), (tokens[-READ_ROWS:], 0)):
        session.feed(part)
        for segment in range(len(model.segments)):
            if filling and segment == model.fillings[filling].segment:
                session.fill(filling)
            hidden = session.run(segment)
    return model.backbone.logits(hidden).float()
