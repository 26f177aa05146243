"""What a metric is: statistics that add up over cases, and a value of their sums. So every metric can be resampled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.evaluation.runs.records import Case

Floats = NDArray[np.float64]


class Metric(Protocol):
    """A figure of a set of cases."""

    @property
    def name(self) -> str:
        """What it is called in JSON."""

    @property
    def unit(self) -> str:
        """What it is measured in, for people."""

    def statistics(self, case: Case) -> Sequence[float]:
        """Return what this case adds to the sums; NaN where it is unknown."""

    def values(self, sums: Floats) -> Floats:
        """Return the values [sets] of the sums [sets, statistics] of several sets."""


@dataclass(frozen=True)
class Ratio:
    """A sum over another: a mean, where `bottom` counts."""

    name: str
    unit: str
    top: Callable[[Case], float | None]
    bottom: Callable[[Case], float | None] = lambda case: 1.0
    scale: float = 1.0

    def statistics(self, case: Case) -> Sequence[float]:
        """Return top and bottom."""
        return [np.nan if value is None else float(value) for value in (self.top(case), self.bottom(case))]

    def values(self, sums: Floats) -> Floats:
        """Divide."""
        with np.errstate(divide="ignore", invalid="ignore"):
            quotient: Floats = self.scale * sums[:, 0] / sums[:, 1]
        return np.where(np.isfinite(quotient), quotient, np.nan)


def percent(name: str, score: Callable[[Case], float | None]) -> Ratio:
    """Return the mean of a score from 0 to 1 in percent."""
    return Ratio(name, "%", score, lambda case: None if score(case) is None else 1.0, scale=100.0)
