"""What fixed exits reach when they are mixed, and whether a profile is above that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from greencode_lsp.evaluation.metrics.bootstrap import Estimate
from greencode_lsp.evaluation.metrics.metric import Floats
from greencode_lsp.evaluation.summary import FULL, Row, Summary

PROFILES = ("balanced", "eco")
"""Compared by their exits alone, as the controls decode: guesses would help any of them as much."""


@dataclass(frozen=True)
class Advantage:
    """A profile beside a control: by how much its quality is higher, and its joules for a completion lower.

    Beside fixed exits, `quality` is at the profile's joules and `joules` at the profile's quality.
    """

    profile: str
    control: str
    quality: Estimate
    joules: Estimate

    @property
    def verdict(self) -> str:
        """Say in words whether the profile is better."""
        signs = {sign(each) for each in (self.quality, self.joules)} - {None}
        if not signs:
            return "unknown"
        if signs == {1, -1}:
            return "better in one, worse in the other"
        return "better" if 1 in signs else "worse" if -1 in signs else "no clear difference"


def sign(estimate: Estimate) -> int | None:
    """Return 1 or -1 where the whole interval is above or below 0, 0 where it is not, None where it is unknown."""
    if estimate.low is None or estimate.high is None:
        return None
    return 1 if estimate.low > 0 else -1 if estimate.high < 0 else 0


def advantages(summary: Summary, quality: str) -> list[Advantage]:
    """Compare each profile that exits with the controls at its depth, and with mixed fixed exits."""
    found = []
    bootstrap = summary.bootstrap
    for name in PROFILES:
        row = summary.row(f"exits-{name}")
        if row is None:
            continue
        if fixed := fixed_rows(summary):
            found.append(_beside_fixed(summary, row, fixed, quality))
        for control in (f"random-{name}", f"confidence-{name}"):
            if (other := summary.row(control)) is not None:
                better = bootstrap.difference(row.figures[quality], other.figures[quality])
                cheaper = bootstrap.difference(other.figures["joules"], row.figures["joules"])
                found.append(Advantage(row.name, control, better, cheaper))
    return found


def fixed_rows(summary: Summary) -> list[Row]:
    """Return the fixed exits and full depth, where there are fixed exits."""
    fixed = [row for row in summary.rows if row.name.startswith("fixed-")]
    full = summary.row(FULL)
    return [*fixed, full] if fixed and full is not None else []


def _beside_fixed(summary: Summary, row: Row, fixed: Sequence[Row], quality: str) -> Advantage:
    joules = stacked([each.figures["joules"] for each in fixed])
    scores = stacked([each.figures[quality] for each in fixed])
    own_joules, own_score = stacked([row.figures["joules"]])[0], stacked([row.figures[quality]])[0]
    better = own_score - best_between(joules, scores, own_joules)
    cheaper = -best_between(scores, -joules, own_score) - own_joules
    around = summary.bootstrap.around
    return Advantage(row.name, "fixed exits, mixed", around(better[0], better[1:]), around(cheaper[0], cheaper[1:]))


def stacked(estimates: Sequence[Estimate]) -> Floats:
    """Return values and samples, [estimates, 1 + resamples], the value first."""
    return np.stack(
        [np.concatenate(([np.nan if each.value is None else each.value], each.samples)) for each in estimates]
    )


def best_between(places: Floats, values: Floats, wanted: Floats) -> Floats:
    """Return the best value [samples] that two points, mixed, reach at a place; NaN where the place is outside.

    Shapes: places and values [points, samples], wanted [samples]. Running one exit for a share of all completions and
    another for the rest gives what lies on the line between their points.
    """
    best = np.full(wanted.shape, -np.inf)
    for one in range(len(places)):
        for other in range(len(places)):
            low, high = places[one], places[other]
            inside = (low <= wanted) & (wanted <= high)
            span = np.where(high > low, high - low, 1.0)
            mixed = values[one] + (values[other] - values[one]) * np.where(high > low, (wanted - low) / span, 0.0)
            best = np.where(inside, np.fmax(best, mixed), best)
    return np.where(np.isfinite(best), best, np.nan)
