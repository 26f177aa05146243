"""Faults found, counted by kind, with the first examples of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

EXAMPLES = 3


@dataclass(frozen=True)
class Fault:
    """One thing that must not happen. `wire` holds the last messages before it, the newest last."""

    kind: str
    client: str
    operation: int
    detail: str
    seconds: float
    wire: tuple[str, ...] = ()


@dataclass
class Faults:
    """All faults of a run."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Count a fault; keep it while it is one of the first of its kind and client."""
        key = fault.kind, fault.client
        self.counts[key] += 1
        if self.counts[key] <= EXAMPLES:
            self.examples.append(fault)

    def lines(self) -> list[str]:
        """Return one line for each kind and client, with its first example."""
        firsts = {}
        for fault in self.examples:
            firsts.setdefault((fault.kind, fault.client), fault)
        return [
            f"{kind} ({client}, {count} times): {firsts[kind, client].detail}"
            for (kind, client), count in sorted(self.counts.items())
        ]

    def payload(self) -> list[dict[str, Any]]:
        """Return the examples for JSON."""
        return [asdict(fault) for fault in self.examples]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.counts)


def tracebacks(log: str) -> list[str]:
    """Return the last line of each traceback in a log: what was raised."""
    lines = log.splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    return [raised(lines[start + 1 :]) for start in starts]


def raised(lines: Sequence[str]) -> str:
    """Return the first line behind a traceback's indented ones."""
    return next((line for line in lines if line and not line.startswith((" ", "\t"))), "")
