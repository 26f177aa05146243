"""One run: attempts of all kinds side by side, for some minutes or some number of them."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.fuzz.fuzzer import TRAFFIC, Forker, Fuzzer

ROUND = ("folder", "folder", "gguf", "bundle", "cache") * 6 + (TRAFFIC,)
"""What follows on what: a session with a server takes as long as some dozens of the others."""

MOST_WORKERS = 4


class Schedule:
    """Deals out attempts until the time is over, or all of a number are dealt."""

    def __init__(self, minutes: float, attempts: int | None, kinds: tuple[str, ...] = ROUND) -> None:
        self._seconds, self._until = 60 * minutes, float("inf")
        dealt = itertools.cycle(kinds)
        self._kinds = dealt if attempts is None else itertools.islice(dealt, attempts)
        self._numbers: Counter[str] = Counter()
        self._lock = threading.Lock()

    def next(self) -> tuple[str, int] | None:
        """Return the kind and the number of the next attempt, None after the last."""
        with self._lock:
            if not self._numbers:  # the time begins with the first attempt: making the seeds takes a while
                self._until = time.monotonic() + self._seconds
            kind = next(self._kinds, None) if time.monotonic() < self._until else None
            if kind is None:
                return None
            self._numbers[kind] += 1
            return kind, self._numbers[kind]


def work(fuzzer: Fuzzer, schedule: Schedule) -> None:
    """Make attempts until there are no more."""
    forker = Forker(fuzzer.environment)
    try:
        while (dealt := schedule.next()) is not None:
            fuzzer.attempt(forker, *dealt)
    finally:
        forker.close()


def run(fuzzer: Fuzzer, schedule: Schedule) -> None:
    """Make the attempts of a schedule, as many side by side as there are processors."""
    fuzzer.prepare()
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, fuzzer, schedule) for _ in range(workers)]:
            done.result()
