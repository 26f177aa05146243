"""What came of asking: shares of suggestions with each kind of damage, by language and by kind of place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from greencode_lsp.completion.suggestion import Report
from greencode_lsp.evaluation.editing.asking import Answer
from greencode_lsp.evaluation.editing.damage import DAMAGES, Damage, Edit, judge

NORMAL_QUANTILE = 1.96
"""Of 95 % intervals."""

CONTEXT_LINES = 4
CURSOR = "█"


@dataclass(frozen=True)
class Share:
    """A count of a total, with the 95 % interval of the share after Wilson (1927); None where the total is 0."""

    count: int
    total: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """The lower and the upper end, from 0 to 1. Places of one project are alike, so it is rather too narrow."""
        if not self.total:
            return None
        share, weight = self.count / self.total, NORMAL_QUANTILE**2 / self.total
        middle = (share + weight / 2) / (1 + weight)
        half = NORMAL_QUANTILE * sqrt(share * (1 - share) / self.total + weight / self.total / 4) / (1 + weight)
        return max(0.0, middle - half), min(1.0, middle + half)

    def as_json(self) -> dict[str, Any]:
        """Return count, total, share and interval."""
        share = self.count / self.total if self.total else None
        return {"count": self.count, "of": self.total, "share": share, "interval": self.interval}


@dataclass(frozen=True)
class Judged:
    """An answer and what is wrong with it; nothing is where nothing was suggested."""

    answer: Answer
    damage: Damage

    @property
    def shown(self) -> bool:
        """Whether there was a suggestion."""
        return self.answer.text is not None


@dataclass(frozen=True)
class Row:
    """Places of one sort, asked in one way. The shares of damage are of the suggestions shown."""

    name: str
    shown: Share
    damages: dict[str, Share]
    damaged: Share

    def as_json(self) -> dict[str, Any]:
        """Return all shares."""
        damages = {name: share.as_json() for name, share in self.damages.items()}
        return {"name": self.name, "shown": self.shown.as_json(), "damaged": self.damaged.as_json(), **damages}


def judge_all(answers: Sequence[Answer], report: Report) -> list[Judged]:
    """Judge every answer."""
    judged = []
    for done, answer in enumerate(answers):
        report("judging", done, len(answers))
        damage = Damage()
        if answer.text is not None:
            damage = judge(Edit(answer.place.before, answer.start, answer.end, answer.text), answer.place.grammar)
        judged.append(Judged(answer, damage))
    report("judging", len(answers), len(answers))
    return judged


def rows_by(judged: Sequence[Judged], name: Callable[[Answer], str]) -> list[Row]:
    """Return a row for each name, in the order in which they come, and one of all."""
    groups: dict[str, list[Judged]] = {}
    for each in judged:
        groups.setdefault(name(each.answer), []).append(each)
    return [*(row_of(label, group) for label, group in groups.items()), row_of("all", judged)]


def row_of(name: str, judged: Sequence[Judged]) -> Row:
    """Count what is wrong with some suggestions."""
    shown = [each for each in judged if each.shown]
    counts = {kind: Share(sum(getattr(each.damage, kind) for each in shown), len(shown)) for kind in DAMAGES}
    damaged = Share(sum(bool(each.damage.kinds) for each in shown), len(shown))
    return Row(name, Share(len(shown), len(judged)), counts, damaged)


def worst(judged: Sequence[Judged], count: int) -> list[Judged]:
    """Return suggestions with the most kinds of damage, of one language, kind of place and damage as few as can be."""
    left = [each for each in judged if each.damage.kinds]
    chosen: list[Judged] = []
    seen: dict[tuple[str, ...], int] = {}
    while left and len(chosen) < count:
        best = min(left, key=lambda each: (sum(seen.get(key, 0) for key in _traits(each)), -len(each.damage.kinds)))
        left.remove(best)
        chosen.append(best)
        for key in _traits(best):
            seen[key] = seen.get(key, 0) + 1
    return chosen


def _traits(judged: Judged) -> list[tuple[str, ...]]:
    place = judged.answer.place
    return [(place.language,), (place.kind,), judged.damage.kinds, (place.project, place.path)]


def window(text: str, start: int, end: int, cursor: int | None = None) -> str:
    """Return the lines around a piece of a text, with the cursor marked where there is one."""
    lines = text[:start].splitlines(keepends=True)
    first = sum(map(len, lines[: max(0, len(lines) - CONTEXT_LINES)]))
    below = text[end:].splitlines(keepends=True)
    last = end + sum(map(len, below[:CONTEXT_LINES]))
    if cursor is None:
        return text[first:last]
    return text[first:cursor] + CURSOR + text[cursor:last]


def example_as_json(judged: Judged) -> dict[str, Any]:
    """Return a suggestion with the lines around it, before and after."""
    answer, place = judged.answer, judged.answer.place
    stop = answer.start + len(answer.text or "")
    return {
        "language": place.language,
        "project": place.project,
        "path": place.path,
        "place": place.kind,
        "variant": place.variant,
        "kind": answer.kind,
        "damage": judged.damage.kinds,
        "details": judged.damage.details,
        "before": window(place.before, min(answer.start, place.cursor), max(answer.end, place.cursor), place.cursor),
        "after": window(answer.after, answer.start, stop),
        "text": answer.text,
        "replaced": place.before[answer.start : answer.end],
        "closed": place.closed,
        "removed": place.removed,
        "latency_ms": round(answer.latency_ms, 1),
    }
