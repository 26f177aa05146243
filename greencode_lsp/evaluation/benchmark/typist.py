"""A person who types a known text: with slips, pauses for thought, and an eye for suggestions that say the same."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

PASSAGES = 2
"""Places of a file that are typed, one after the other."""

PASSAGE_LINES = 4

KEY_PAUSE_S = 0.16
"""Median time between two keys: about 60 words a minute in code."""

THOUGHT_S = (0.5, 1.5)
"""Pause before a new line."""

SLIP_SHARE = 0.03
SHORTEST_ACCEPTED = 3


@dataclass(frozen=True)
class Passage:
    """A part of a text that is to be typed, and where it belongs."""

    start: int
    text: str


@dataclass(frozen=True)
class Stroke:
    """One change at the cursor: characters before it deleted, then others typed."""

    deleted: int
    typed: str


def choose_passages(text: str, chance: random.Random, count: int = PASSAGES) -> list[Passage]:
    """Return passages of some neighbouring lines each, from different parts of the text's second half, shuffled.

    A person works in the middle of a file that is there already: in its second half there is much to read before.
    """
    starts = [match.start() for match in re.finditer(r"^(?=[ \t]+\S)", text, re.MULTILINE)]
    behind = [start for start in starts if start > len(text) // 2][:-PASSAGE_LINES]
    passages = []
    for part in range(count):
        share = behind[part * len(behind) // count : (part + 1) * len(behind) // count - PASSAGE_LINES]
        start = chance.choice(share)
        lines = text[start:].splitlines(keepends=True)[:PASSAGE_LINES]
        passages.append(Passage(start, "".join(lines).rstrip("\n")))
    chance.shuffle(passages)
    return passages


class Typist:
    """Types one passage. All chances come from a seed."""

    def __init__(self, passage: str, chance: random.Random) -> None:
        self._remaining, self._chance = passage, chance
        self._slipped = False
        self._new_line = True

    @property
    def done(self) -> bool:
        """Whether everything has been typed."""
        return not self._remaining and not self._slipped

    def pause_seconds(self) -> float:
        """Return how long to wait before the next change."""
        if self._new_line:
            return self._chance.uniform(*THOUGHT_S)
        return self._chance.lognormvariate(0.0, 0.4) * KEY_PAUSE_S

    def next_stroke(self) -> Stroke:
        """Return the next change: a key (a new line brings its indentation, as in editors), or a slip and its end."""
        if self._slipped:
            self._slipped = False
            return Stroke(1, "")
        self._slipped = self._chance.random() < SLIP_SHARE
        if self._slipped:
            return Stroke(0, self._chance.choice("etaoins"))
        key = re.match(r"\n?[ \t]+|\n|.", self._remaining)
        assert key is not None, "something remains"
        return self._typed(key.group())

    def takes(self, suggestion: str) -> bool:
        """Say whether a suggestion says what the person wants to write."""
        return (
            len(suggestion.strip()) >= SHORTEST_ACCEPTED
            and not self._slipped
            and self._remaining.startswith(suggestion)
        )

    def accept(self, suggestion: str) -> Stroke:
        """Take a suggestion."""
        return self._typed(suggestion)

    def _typed(self, text: str) -> Stroke:
        self._remaining = self._remaining[len(text) :]
        self._new_line = text.startswith("\n")
        return Stroke(0, text)
