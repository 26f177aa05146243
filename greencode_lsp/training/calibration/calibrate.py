"""Calibrating a policy: a proven threshold for each allowed loss, and the whole trade-off beside its controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from greencode_lsp.policy.bundle import POLICY_FILE, file_sha256
from greencode_lsp.policy.calibration import PROFILES, Bound, Calibration, ProvenMap
from greencode_lsp.policy.learned import read_policy
from greencode_lsp.training.calibration.drafting import drafting_threshold
from greencode_lsp.training.calibration.learn_then_test import (
    independent_units,
    proven,
    relative_losses,
    upper_limit,
)
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.costs import Costs
from greencode_lsp.training.policy.outcomes import tally
from greencode_lsp.training.policy.scoring import Choice, check_traces, decide, score
from greencode_lsp.training.policy.table import Row, policy_table
from greencode_lsp.training.policy.trace_set import Floats, TraceSet
from greencode_lsp.training.progress import Report

LOSSES = (0.005, 0.01, 0.02, 0.05)
CONFIDENCE = 0.95

MAP_SHARE = 0.5
"""A map of keys and values may take so much of a bound: what is left to exits saves where no prompt is read."""

SPLIT = "calibration"

__all__ = ["CONFIDENCE", "LOSSES", "POLICY_FILE", "Calibrated", "calibrate"]


@dataclass(frozen=True)
class Calibrated:
    """What calibration writes, and the trade-off it reports: rows of the policy and its controls at equal depths."""

    calibration: Calibration
    curve: list[Row]


def calibrate(
    traces: TraceSet,
    policy_path: Path,
    costs: Costs,
    report: Report,
    confidence: float,
    maps: Sequence[ProvenMap] = (),
) -> Calibrated:
    """Prove thresholds on traces no training has seen; raise `TrainingError` where policy and traces do not fit.

    A bound that leaves room for one of `maps` leaves it to the shallowest, and what is proven is the rest.
    """
    policy = read_policy(policy_path)
    check_traces(policy, policy_path, traces)
    if traces.split != SPLIT:
        raise TrainingError(
            f"these traces are of {traces.split}, and a bound is proven on what no training has seen: record some with "
            f"greencode train traces --split {SPLIT}"
        )
    report("scoring", 0, 1)
    scores = score(policy, traces)
    units = independent_units(traces)

    def choice_at(threshold: float) -> Choice:
        return decide(scores, threshold, policy.stop_threshold)

    @cache
    def losses_at(threshold: float) -> Floats:
        return relative_losses(traces, choice_at(threshold), units)

    @cache
    def saved_at(threshold: float) -> float:
        return tally(traces, choice_at(threshold), costs).figures().saved

    grid = [float(threshold) for threshold in policy.grid]
    bounds = []
    for done, loss in enumerate(LOSSES):
        report("testing", done, len(LOSSES))
        chosen = map_within(maps, loss)
        left = loss - (chosen.upper_loss if chosen else 0.0)
        # Where a threshold is low, much may be read in vain: the lowest does not always save most.
        threshold = max(proven(grid, losses_at, left, confidence), key=saved_at, default=None)
        found = describe(loss, threshold, traces, costs, choice_at, losses_at, confidence)
        bounds.append(replace(found, fill=chosen.depth if chosen else 0))
    report("comparing", 0, 1)
    calibration = Calibration(
        confidence=confidence,
        split=traces.split,
        rows=len(traces),
        unit=units.kind,
        clusters=units.count,
        policy_sha256=file_sha256(policy_path),
        exits_sha256=traces.exits_sha256,
        maps=tuple(maps),
        bounds=tuple(bounds),
        drafting_threshold=drafting_threshold(traces, scores, grid, costs),
        profiles=dict(PROFILES),
    )
    return Calibrated(calibration, policy_table(traces, {policy.kind: policy}, costs))


def map_within(maps: Sequence[ProvenMap], loss: float) -> ProvenMap | None:
    """Return the shallowest map that takes no more than its share of a bound, None where none is that good."""
    fitting = (one for one in maps if one.upper_loss <= MAP_SHARE * loss)
    return min(fitting, key=lambda one: one.depth, default=None)


def describe(
    loss: float,
    threshold: float | None,
    traces: TraceSet,
    costs: Costs,
    choice_at: Callable[[float], Choice],
    losses_at: Callable[[float], Floats],
    confidence: float,
) -> Bound:
    """Say what a threshold does on the traces it was proven on."""
    if threshold is None:
        return Bound(loss, None, 0.0, 0.0, float(traces.layers), 0.0)
    losses = losses_at(threshold)
    figures = tally(traces, choice_at(threshold), costs).figures()
    return Bound(
        loss=loss,
        threshold=threshold,
        expected_loss=float(losses.mean()),
        upper_loss=upper_limit(losses, confidence),
        mean_depth=figures.mean_depth,
        saved=figures.saved,
    )
