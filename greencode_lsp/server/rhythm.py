"""How long to wait before computing: by how fast a person types, where they are, and how long an answer takes.

After the idea of Tabby's adaptive debounce (TabbyML/tabby, `debouncer.ts`). There an answer's time shortens the wait;
here it lengthens it, for what is wasted when the next key comes in between is energy: who waits as long as the answer
would take wastes little by asking, and little by having waited.
"""

import time
from collections import deque
from collections.abc import Callable
from statistics import median

from greencode_lsp.completion.lines import line_starts
from greencode_lsp.server.rules import is_word

KEY_INTERVAL_SECONDS = 0.16
"""Until a person's own is known: about 60 words a minute in code."""

FASTEST_INTERVAL_SECONDS, SLOWEST_INTERVAL_SECONDS = 0.06, 0.4

THOUGHT_SECONDS = 1.0
"""A longer pause is no rhythm."""

SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.03, 0.5

IN_WORD, AFTER_WORD, ON_NEW_LINE = 1.25, 1.0, 0.5
"""Shares of the wait: in a word the next key is near, on a new line a person thinks."""


class Rhythm:
    """The last keys and answers of one person. `now` gives seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last_key: float | None = None
        self._intervals: deque[float] = deque(maxlen=32)
        self._answers: deque[float] = deque(maxlen=8)

    def typed(self) -> None:
        """Note that the text has changed."""
        now = self._now()
        if self._last_key is not None and now - self._last_key < THOUGHT_SECONDS:
            self._intervals.append(now - self._last_key)
        self._last_key = now

    def answered(self, seconds: float) -> None:
        """Note how long a suggestion took to compute."""
        self._answers.append(seconds)

    @property
    def interval_seconds(self) -> float:
        """The usual time between two keys."""
        if len(self._intervals) < 5:
            return KEY_INTERVAL_SECONDS
        return min(max(median(self._intervals), FASTEST_INTERVAL_SECONDS), SLOWEST_INTERVAL_SECONDS)

    def wait_seconds(self, prefix: str) -> float:
        """Return how long to wait for another key behind `prefix`: an answer's time, at most a key interval."""
        interval = self.interval_seconds
        answer = median(self._answers) if self._answers else interval
        wait = min(answer, interval) * share_of_wait(prefix)
        return min(max(wait, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)


def share_of_wait(prefix: str) -> float:
    """Return what part of the wait is due, by what stands before the cursor."""
    if not prefix[line_starts(prefix)[-1] :].strip():
        return ON_NEW_LINE
    return IN_WORD if is_word(prefix[-1]) else AFTER_WORD
