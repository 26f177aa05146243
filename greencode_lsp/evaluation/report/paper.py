"""The paper's own numbers, and where they come from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class PaperPoint:
    """One run of the paper's policy; energy and scores are changes in percent from full depth as the paper ran it."""

    model: str
    language: str
    threshold: float
    depth: float
    layers: int
    energy: float
    rouge_l: float
    codebleu: float


@dataclass(frozen=True)
class EqualDepth:
    """What share of full depth's score was kept at one mean depth, in percent."""

    what: str
    policy: float
    fixed: float


@dataclass(frozen=True)
class Paper:
    """The paper's measurements. `baseline` says what they were measured against."""

    title: str
    source: str
    protocol: str
    baseline: str
    joules_cached_full: float
    joules_uncached_full: float
    claimed_saving: tuple[float, float]
    points: tuple[PaperPoint, ...]
    retention_at_equal_depth: tuple[EqualDepth, ...]
    propagation: str

    def of(self, language: str) -> list[PaperPoint]:
        """Return the runs on one language."""
        return [point for point in self.points if point.language == language]


def read_paper() -> Paper:
    """Read the numbers that ship."""
    values = json.loads((files("greencode_lsp.evaluation.report") / "paper.json").read_text(encoding="utf-8"))
    low, high = values["claimed_saving"]
    return Paper(
        **{
            **values,
            "claimed_saving": (low, high),
            "points": tuple(PaperPoint(**point) for point in values["points"]),
            "retention_at_equal_depth": tuple(EqualDepth(**each) for each in values["retention_at_equal_depth"]),
        }
    )
