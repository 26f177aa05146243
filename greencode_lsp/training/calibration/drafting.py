"""The threshold at which exits draft fastest for full depth to verify, from traces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from greencode_lsp.engine.drafts.exits import DRAFT_CAP
from greencode_lsp.training.policy.costs import Costs
from greencode_lsp.training.policy.scoring import Choice, Scores, decide
from greencode_lsp.training.policy.trace_set import TraceSet

MOST_ROWS = 20_000
THRESHOLDS = 24


def drafting_threshold(traces: TraceSet, scores: Scores, grid: Sequence[float], costs: Costs) -> float | None:
    """Return the threshold with the most tokens per cost, None where none beats full depth."""
    few = traces.select(slice(0, MOST_ROWS))
    scores = scores.first(len(few))
    tried = [grid[int(index)] for index in np.linspace(0, len(grid) - 1, THRESHOLDS)]
    speeds = [drafting_speed(few, decide(scores, threshold), costs) for threshold in tried]
    best = int(np.argmax(speeds))
    return float(tried[best]) if speeds[best] > 1.0 else None


def drafting_speed(traces: TraceSet, choice: Choice, costs: Costs) -> float:
    """Return tokens per cost of drafting at these exits, relative to full depth.

    Drafts follow one another until one token goes to full depth or `DRAFT_CAP` wait; then all that wait run the rest
    together. Drafts behind the first wrong one are lost, and the token that full depth would rather have is won.
    """
    full, exits = len(traces.exits), choice.exits
    vain = np.zeros(len(traces)) if choice.in_vain is None else choice.in_vain @ costs.reading[:-1]
    reach = np.cumsum(costs.segments)
    agrees = np.append(traces.agrees, np.ones((len(traces), 1), bool), axis=1)[np.arange(len(traces)), exits]
    spent, row = 0.0, 0
    while row < len(traces):
        waiting: list[int] = []
        while row + len(waiting) < len(traces):
            waiting.append(int(exits[row + len(waiting)]))
            if waiting[-1] == full or len(waiting) == DRAFT_CAP:
                break
        spent += sum(reach[index] + costs.reading[index] for index in waiting if index < full)
        spent += vain[row : row + len(waiting)].sum()
        for segment, cost in enumerate(costs.segments):
            rows = sum(index < segment or index == full for index in waiting)
            spent += cost * (1 + costs.row_cost * (rows - 1)) if rows else 0.0
        spent += costs.head * (1 + costs.row_cost * (len(waiting) - 1))
        right = agrees[row : row + len(waiting)]
        row += len(waiting) if right.all() else int(right.argmin()) + 1
    return costs.full * len(traces) / spent
