"""95 % intervals by resampling clusters: examples of one repository are not independent of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.evaluation.metrics.metric import Floats, Metric
from greencode_lsp.evaluation.runs.records import Case

RESAMPLES = 1000
LOW, HIGH = 2.5, 97.5


@dataclass(frozen=True)
class Estimate:
    """A value and its interval; None is unknown, also the interval of a single cluster.

    `samples` [resamples] are the values of the resampled clusters, the same clusters in the same places for every
    metric and configuration: differences and quotients of them are paired.
    """

    value: float | None
    low: float | None
    high: float | None
    samples: Floats


class Bootstrap:
    """Resamples the clusters of one list of examples, again and again the same."""

    def __init__(self, clusters: Sequence[str], resamples: int = RESAMPLES, seed: int = 0) -> None:
        names = sorted(set(clusters))
        place = {name: index for index, name in enumerate(names)}
        self._place: NDArray[np.int64] = np.array([place[cluster] for cluster in clusters], np.int64)
        self.clusters = len(names)
        draws = np.random.default_rng(seed)
        self._weights: Floats = draws.multinomial(
            self.clusters, np.full(self.clusters, 1 / self.clusters), resamples
        ).astype(np.float64)  # [resamples, clusters]

    def estimate(self, metric: Metric, cases: Sequence[Case]) -> Estimate:
        """Return a metric of the cases, which are in the order of the examples.

        Cases for which it is unknown are left out; where that is all of them, so is the value.
        """
        rows = np.array([metric.statistics(case) for case in cases], np.float64)  # [cases, statistics]
        known = ~np.isnan(rows).any(axis=1)
        if not known.any():
            return Estimate(None, None, None, self.unknown())
        sums = np.zeros((self.clusters, rows.shape[1]))
        np.add.at(sums, self._place[known], rows[known])
        value = float(metric.values(sums.sum(axis=0, keepdims=True))[0])
        return self.around(value, metric.values(self._weights @ sums))

    def around(self, value: float, samples: Floats) -> Estimate:
        """Return the interval of samples around a value."""
        usable = samples[np.isfinite(samples)]
        if not np.isfinite(value):
            return Estimate(None, None, None, samples)
        if self.clusters < 2 or not len(usable):
            return Estimate(value, None, None, samples)
        low, high = np.percentile(usable, [LOW, HIGH])
        return Estimate(value, float(low), float(high), samples)

    def difference(self, one: Estimate, other: Estimate) -> Estimate:
        """Return how much the first is above the second, paired."""
        if one.value is None or other.value is None:
            return Estimate(None, None, None, one.samples - other.samples)
        return self.around(one.value - other.value, one.samples - other.samples)

    def unknown(self) -> Floats:
        """Return the samples of what is not known."""
        return np.full(len(self._weights), np.nan)
