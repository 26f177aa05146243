"""The policy table: every policy and every control on held-out traces, at equal mean depths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from greencode_lsp.policy import Calibration
from greencode_lsp.policy.learned import PolicyFile
from greencode_lsp.training.policy import controls
from greencode_lsp.training.policy.costs import Costs
from greencode_lsp.training.policy.outcomes import Figures, Tally, tally
from greencode_lsp.training.policy.scoring import Scores, check_traces, decide, score
from greencode_lsp.training.policy.trace_set import TraceSet

TARGETS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Mean depths to compare at, as shares of all layers."""


@dataclass(frozen=True)
class Row:
    """One policy or control at one mean depth.

    `ci95` has the interval of each figure by bootstrap over projects; `behind` how much less of the accuracy it keeps
    than the first policy at this depth, with its paired interval.
    """

    name: str
    target_depth: float | None
    threshold: float | None
    figures: Figures
    ci95: dict[str, tuple[float, float]]
    behind: tuple[float, float, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        row = asdict(self)
        return {**row.pop("figures"), **row}


@dataclass
class _Table:
    traces: TraceSet
    costs: Costs
    rows: list[Row] = field(default_factory=list)
    first: Tally | None = None

    def add(self, name: str, depth: float | None, threshold: float | None, counted: Tally) -> None:
        behind = self.first.ahead(counted) if self.first is not None and depth is not None else None
        self.rows.append(Row(name, depth, threshold, counted.figures(), counted.intervals(), behind))


def policy_table(
    traces: TraceSet,
    policies: Mapping[str, PolicyFile],
    costs: Costs,
    targets: Sequence[float] = TARGETS,
    calibrations: Mapping[str, Calibration] | None = None,
) -> list[Row]:
    """Compare policies, none of them giving up, with every control. The first policy is the one that others are behind.

    `calibrations` of some of them, by name, add a row for each bound: what its threshold does here, giving up included.
    Raises `TrainingError` where a policy is for another model.
    """
    for name, policy in policies.items():
        check_traces(policy, f"policy {name}", traces)
    scores = {name: score(policy, traces) for name, policy in policies.items()}
    sure = Scores(traces.probability[:, :-1].astype(float))
    table = _Table(traces, costs)
    table.add("full depth", None, None, tally(traces, controls.fixed_choice(traces, len(traces.exits)), costs))
    for index, exit_depth in enumerate(traces.exits):
        table.add(f"fixed exit {exit_depth}", None, None, tally(traces, controls.fixed_choice(traces, index), costs))
    table.add("oracle", None, None, tally(traces, controls.oracle_choice(traces), costs))
    for name, calibration in (calibrations or {}).items():
        for bound in calibration.bounds:
            if bound.threshold is not None:
                choice = decide(scores[name], bound.threshold, policies[name].stop_threshold)
                table.add(f"{name}, {bound.loss:.1%} allowed", None, bound.threshold, tally(traces, choice, costs))
    shallowest = traces.exits[0]
    for depth in (share * traces.layers for share in targets if share * traces.layers > shallowest):
        table.first = None
        chosen = np.zeros(0, np.int64)
        for name, values in scores.items():
            threshold = controls.threshold_at_depth(values, traces, depth)
            choice = decide(values, threshold)
            counted = tally(traces, choice, costs)
            table.add(name, depth, threshold, counted)
            if table.first is None:
                table.first, chosen = counted, choice.exits
        threshold = controls.threshold_at_depth(sure, traces, depth)
        confident = controls.confidence_choice(traces, threshold)
        table.add("confidence", depth, threshold, tally(traces, confident, costs, reads_every_exit=True))
        if len(chosen):
            table.add("random", depth, None, tally(traces, controls.random_choice(traces, chosen, 0), costs))
        table.add("fixed", depth, None, tally(traces, controls.fixed_mixture(traces, depth, 0), costs))
    return table.rows
