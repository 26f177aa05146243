"""Learn then test (Angelopoulos et al., arXiv 2110.01052), as CALM uses it for exits (arXiv 2207.07061, section 4).

A bound says: the expected relative loss of a project is at most this. For each threshold of a grid, from the highest
down, the hypothesis that it breaks the bound is tested; all before the first that cannot be rejected are proven, all of
them at once. The order is fixed beforehand, so no correction for many tests is needed.

The unit is the project: tokens of a file depend on each other, and so do files of a project. Each project counts the
same, whatever its size, by its own relative loss. With units this few, bounds for bounded losses (Hoeffding, Bentkus)
could not certify 1 % at all: with 50 projects Hoeffding's alone is 17 % wide. So the test is Student's one-sided t on
the projects' losses. It rests on their mean being about normal, which holds well for means over thousands of tokens;
a test of ours checks on simulated projects that the stated confidence is met.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from scipy.stats import t as student

from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.scoring import Choice
from greencode_lsp.training.policy.trace_set import Floats, Integers, TraceSet

FEWEST_PROJECTS = 8
FEWEST_FILES = 20


@dataclass(frozen=True)
class Units:
    """What counts as independent: `kind` is "project" or "file", `of` [R] numbers each row's unit from 0."""

    kind: str
    of: Integers

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.of.max()) + 1


def independent_units(traces: TraceSet) -> Units:
    """Return projects, or files where there are too few projects; raise `TrainingError` where both are too few."""
    for kind, numbers, fewest in (
        ("project", traces.packages, FEWEST_PROJECTS),
        ("file", traces.files, FEWEST_FILES),
    ):
        units = Units(kind, np.unique(numbers, return_inverse=True)[1])
        if units.count >= fewest:
            return units
    raise TrainingError(
        f"calibration needs traces of at least {FEWEST_PROJECTS} projects or {FEWEST_FILES} files; these have "
        f"{len(np.unique(traces.packages))} and {len(traces.file_starts)}"
    )


def relative_losses(traces: TraceSet, choice: Choice, units: Units) -> Floats:
    """Return the share of full depth's right tokens that each unit loses (gains count against losses): [units]."""
    rows = np.arange(len(traces))
    right = traces.right[rows, choice.exits] & ~choice.stopped
    at_full = np.bincount(units.of, weights=traces.right[:, -1])
    kept = np.bincount(units.of, weights=right)
    some = at_full > 0
    return np.asarray((at_full[some] - kept[some]) / at_full[some])


def p_value(losses: Floats, bound: float) -> float:
    """Return how likely losses at least this far below the bound are where the expected loss is the bound."""
    spread = float(losses.std(ddof=1)) / np.sqrt(len(losses))
    gap = float(losses.mean()) - bound
    if spread < 1e-12:
        return 0.0 if gap < 0 else 1.0
    return float(student.cdf(gap / spread, len(losses) - 1))


def upper_limit(losses: Floats, confidence: float) -> float:
    """Return the one-sided upper confidence limit of the expected loss."""
    spread = float(losses.std(ddof=1)) / np.sqrt(len(losses))
    return float(losses.mean() + student.ppf(confidence, len(losses) - 1) * spread)


def proven(
    thresholds: Sequence[float], losses_at: Callable[[float], Floats], bound: float, confidence: float
) -> list[float]:
    """Test thresholds in descending order; return those before the first that fails."""
    return list(takewhile(lambda threshold: p_value(losses_at(threshold), bound) <= 1 - confidence, thresholds))
