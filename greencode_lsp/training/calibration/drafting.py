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
    full, count = len(traces.exits), len(traces)
    vain = np.zeros(count) if choice.in_vain is None else choice.in_vain @ costs.reading[:-1]
    right = np.append(traces.agrees, np.ones((count, 1), bool), axis=1)[np.arange(count), choice.exits]
    # Plain lists: the loop looks at single numbers, millions of them.
    exits, agrees, in_vain = choice.exits.tolist(), right.tolist(), vain.tolist()
    segments, drafting = costs.segments.tolist(), (np.cumsum(costs.segments) + costs.reading).tolist()
    spent, row = 0.0, 0
    while row < count:
        end = row
        while end < count:
            end += 1
            if exits[end - 1] == full or end - row == DRAFT_CAP:
                break
        waiting = exits[row:end]
        spent += sum(drafting[index] for index in waiting if index < full) + sum(in_vain[row:end])
        for segment, cost in enumerate(segments):
            rows = sum(index < segment or index == full for index in waiting)
            spent += cost * (1 + costs.row_cost * (rows - 1)) if rows else 0.0
        spent += costs.head * (1 + costs.row_cost * (len(waiting) - 1))
        row = next((place + 1 for place in range(row, end) if not agrees[place]), end)
    return costs.full * count / spent
