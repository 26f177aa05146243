"""What a choice of exits does to quality and cost, project by project, with bootstrap intervals over projects."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from greencode_lsp.training.policy.costs import Costs, file_costs, naive_costs
from greencode_lsp.training.policy.scoring import Choice
from greencode_lsp.training.policy.trace_set import Floats, Integers, TraceSet

RESAMPLES = 2000


@dataclass(frozen=True)
class Figures:
    """What is reported of a choice.

    `accuracy_kept` is the accuracy of the next token over that of full depth, `agreement` the share of tokens that full
    depth would have said, too; `mean_depth` counts layers. `saved` is the share of joules saved as the engine runs it,
    rows that wait included; `saved_naive` what it would be if layers that are skipped were never run. `stopped` is the
    share of tokens where the policy gave up, which count as wrong.
    """

    accuracy_kept: float
    agreement: float
    mean_depth: float
    saved: float
    saved_naive: float
    stopped: float


@dataclass(frozen=True)
class Tally:
    """Sums over the rows of each project: [projects, 9], in the order of `COLUMNS`."""

    sums: Floats

    def figures(self) -> Figures:
        """Return the figures of all projects together."""
        return Figures(*(float(value) for value in ratios(self.sums.sum(axis=0))))

    def intervals(self, seed: int = 0) -> dict[str, tuple[float, float]]:
        """Return 95 % intervals of every figure, by resampling projects."""
        low, high = np.quantile(ratios(self.resampled(seed)), (0.025, 0.975), axis=-1)
        names = [field.name for field in fields(Figures)]
        return {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}

    def ahead(self, other: Tally, seed: int = 0) -> tuple[float, float, float]:
        """Return how much more accuracy this keeps than another choice for the same rows, and its 95 % interval."""
        paired = ratios(self.resampled(seed))[0] - ratios(other.resampled(seed))[0]
        low, high = np.quantile(paired, (0.025, 0.975))
        return self.figures().accuracy_kept - other.figures().accuracy_kept, float(low), float(high)

    def resampled(self, seed: int) -> Floats:
        """Return the sums of as many projects drawn with replacement, many times: [9, resamples]."""
        count = len(self.sums)
        draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), RESAMPLES)
        return np.asarray((draws @ self.sums).T)


COLUMNS = ("rows", "right", "right_full", "agree", "depth", "joules", "joules_naive", "stopped", "joules_full")


def ratios(sums: Floats) -> Floats:
    """Turn sums [9, ...] into figures [6, ...]."""
    rows, right, right_full, agree, depth, joules, naive, stopped, full = sums
    kept = right / np.maximum(right_full, 1)
    return np.stack([kept, agree / rows, depth / rows, 1 - joules / full, 1 - naive / full, stopped / rows])


def tally(traces: TraceSet, choice: Choice, costs: Costs, reads_every_exit: bool = False) -> Tally:
    """Sum up a choice; `reads_every_exit` is for policies that run the head wherever they are asked."""
    rows, exits = np.arange(len(traces)), choice.exits
    right = traces.right[rows, exits] & ~choice.stopped
    agree = (traces.predicted[rows, exits] == traces.predicted[:, -1]) & ~choice.stopped
    reading = reading_costs(choice, costs, reads_every_exit)
    naive = naive_costs(costs, exits, reading)
    starts = traces.file_starts
    by_file = file_costs(costs, exits, reading, starts)
    project = np.unique(traces.packages, return_inverse=True)[1]
    count = int(project.max()) + 1

    def by_project(values: Floats | Integers) -> Floats:
        return np.bincount(project, weights=values, minlength=count).astype(float)

    columns = [
        by_project(np.ones(len(traces))),
        by_project(right.astype(float)),
        by_project(traces.right[:, -1].astype(float)),
        by_project(agree.astype(float)),
        by_project(costs.depths(exits)),
        np.bincount(project[starts], weights=by_file, minlength=count),
        by_project(naive),
        by_project(choice.stopped.astype(float)),
        by_project(np.full(len(traces), costs.full)),
    ]
    return Tally(np.stack(columns, axis=1))


def reading_costs(choice: Choice, costs: Costs, reads_every_exit: bool) -> Floats:
    """Return what the heads and the decisions of each row cost: [R]."""
    reading = costs.reading
    spent = choice.asked * costs.decision
    if choice.in_vain is not None:
        spent = spent + choice.in_vain @ reading[:-1]
    if reads_every_exit:
        return np.asarray(np.cumsum(reading)[choice.exits] + spent)
    return np.asarray(np.where(choice.stopped, 0.0, reading[choice.exits]) + spent)
