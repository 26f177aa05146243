"""The ledger on a thread of its own: nobody waits for its file, and no row is lost while another process locks it."""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from greencode_lsp.energy.carbon import GridFactor
from greencode_lsp.energy.ledger import Ledger, utc_now
from greencode_lsp.energy.ledger_queries import FORGET_ALL, Change, accepting, recording, showing
from greencode_lsp.energy.ledger_records import DayTotals, Entry
from greencode_lsp.energy.open_ledger import NullLedger, open_or_begin

log = logging.getLogger(__name__)

BUSY_SECONDS = 0.25
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.1, 5.0
PRUNING_SECONDS, PRUNING_RETRY_SECONDS = 24 * 3600.0, 60.0
CLOSING_SECONDS = 1.0

MOST_WAITING = 20_000
"""Changes that wait for the file; of more, the oldest are lost."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Question:
    ask: Callable[[Ledger | NullLedger], Any]
    answer: Future[Any]
    of_all: bool


@dataclass(frozen=True)
class _Keep:
    days: int


@dataclass(frozen=True)
class _Close:
    deadline: float


class LedgerThread:
    """The ledger in the file `path`: what is written is queued, what is asked for comes as a future.

    The file is opened when it is first needed. Where it cannot be opened or is locked, changes wait and are tried again
    until it can be written, and questions are answered from what can be read, which may be nothing.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = utc_now) -> None:
        self.path = path
        self._now = now
        self._ledger: Ledger | None = None
        self._reason = "not opened yet"
        self._jobs: queue.SimpleQueue[Change | _Question | _Keep | _Close] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._waiting: list[Change] = []
        self._retry_at = 0.0
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._keep_days = 0
        self._prune_at = float("inf")
        self._thread = threading.Thread(target=self._work, name="greencode-ledger", daemon=True)
        self._thread.start()

    # For any thread

    def record(self, entry: Entry) -> None:
        """Add a completion."""
        self._jobs.put(recording(entry))

    def mark_shown(self, completion_id: str) -> None:
        """Note that the editor showed a completion."""
        self._jobs.put(showing(completion_id))

    def mark_accepted(self, completion_id: str, accepted_length: int) -> None:
        """Note that the user took `accepted_length` characters of a completion, counted from its start."""
        self._jobs.put(accepting(completion_id, accepted_length))

    def reset(self) -> None:
        """Forget all completions."""
        self._jobs.put(FORGET_ALL)

    def keep(self, days: int) -> None:
        """Forget, now and once a day, what is older than so many days; 0 keeps all."""
        self._jobs.put(_Keep(days))

    def today(self, grid_factor: GridFactor) -> Future[DayTotals]:
        """Sum up the current local day; unknown while completions of it wait for the file."""
        return self._put(lambda ledger: ledger.today(grid_factor), of_all=True)

    def ask(self, question: Callable[[Ledger | NullLedger], Answer]) -> Future[Answer]:
        """Ask for anything else, of what can be read now."""
        return self._put(question, of_all=False)

    def close(self, seconds: float = CLOSING_SECONDS) -> None:
        """Write what waits and close the file; after so many seconds log what is lost, and return."""
        self._jobs.put(_Close(time.monotonic() + seconds))
        self._closing.set()  # a long question must not keep what waits from being written
        self._thread.join(seconds + 2 * BUSY_SECONDS)

    def _put(self, ask: Callable[[Ledger | NullLedger], Answer], of_all: bool) -> Future[Answer]:
        answer: Future[Answer] = Future()
        self._jobs.put(_Question(ask, answer, of_all))
        return answer

    # On the thread

    def _work(self) -> None:
        while True:
            job = self._next_job()
            if isinstance(job, _Close):
                self._finish(job.deadline)
                return
            try:
                self._do(job)
            except Exception:
                log.exception("the energy ledger's thread goes on after a bug")

    def _do(self, job: Change | _Question | _Keep | None) -> None:
        if isinstance(job, Change):
            self._add(job)
        elif isinstance(job, _Keep):
            self._keep_days, self._prune_at = job.days, time.monotonic() if job.days else float("inf")
        if time.monotonic() >= self._retry_at:
            self._write()
        if isinstance(job, _Question):
            self._answer(job)
        if time.monotonic() >= self._prune_at:
            self._prune()

    def _next_job(self) -> Change | _Question | _Keep | _Close | None:
        """Wait for a job; None where it is time to try again or to prune."""
        due = min(self._prune_at, self._retry_at if self._waiting else float("inf"))
        try:
            seconds = None if due == float("inf") else min(max(due - time.monotonic(), 0), threading.TIMEOUT_MAX)
            return self._jobs.get(timeout=seconds)
        except queue.Empty:
            return None

    def _add(self, change: Change) -> None:
        if change is FORGET_ALL:
            self._waiting.clear()
        self._waiting.append(change)
        if len(self._waiting) > MOST_WAITING:
            if len(self._waiting) == MOST_WAITING + 1:
                log.warning("more than %d changes wait for the energy ledger: the oldest are lost", MOST_WAITING)
            del self._waiting[:-MOST_WAITING]

    def _write(self) -> None:
        """Write what waits; put off the next try where that fails."""
        if not self._waiting:
            return
        try:
            try:
                self._opened().write(self._waiting)
                self._waiting.clear()
            except sqlite3.IntegrityError:
                self._write_singly()
        except (OSError, sqlite3.Error) as error:
            self._put_off(error)
            return
        self._retry_at, self._retry_seconds = 0.0, FIRST_RETRY_SECONDS
        if self._reason:
            self._reason = ""
            log.info("the energy ledger can be written")

    def _write_singly(self) -> None:
        """Write one by one: what can never be written must not keep the rest from it."""
        while self._waiting:
            try:
                self._opened().write(self._waiting[:1])
            except sqlite3.IntegrityError as error:
                log.warning("the energy ledger refuses a completion: %s", error)
            del self._waiting[0]

    def _put_off(self, error: Exception) -> None:
        reason = f"{self.path}: {error}"
        if reason != self._reason:
            self._reason = reason
            log.warning("the energy ledger cannot be written, completions wait: %s", reason)
        self._retry_at = time.monotonic() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, LONGEST_RETRY_SECONDS)

    def _opened(self) -> Ledger:
        """Return the open ledger; raise sqlite3.Error or OSError where it cannot be opened."""
        if self._ledger is not None and self._ledger.is_displaced:
            log.warning("the energy ledger %s was moved or deleted: a new one is begun", self.path)
            self._ledger.close()
            self._ledger = None
        if self._ledger is None:
            self._ledger = open_or_begin(self.path, self._now, BUSY_SECONDS)
        return self._ledger

    def _readable(self) -> Ledger | NullLedger:
        if self._ledger is None and time.monotonic() < self._retry_at:
            return NullLedger(self._reason, self._now)
        try:
            return self._opened()
        except (OSError, sqlite3.Error) as error:
            self._put_off(error)
            return NullLedger(self._reason, self._now)

    def _answer(self, question: _Question) -> None:
        if not question.answer.set_running_or_notify_cancel():
            return
        try:
            late = question.of_all and self._waiting
            source = NullLedger(self._reason, self._now) if late else self._readable()
            with source.reading_until(self._closing.is_set):
                question.answer.set_result(question.ask(source))
        except Exception as error:
            question.answer.set_exception(error)

    def _prune(self) -> None:
        """Forget a batch of what is too old; come back at once where there may be more."""
        try:
            pruned = self._opened().prune(self._now() - timedelta(days=self._keep_days))
        except (OSError, sqlite3.Error) as error:
            log.info("the energy ledger is not pruned now: %s", error)
            self._prune_at = time.monotonic() + PRUNING_RETRY_SECONDS
            return
        self._prune_at = time.monotonic() + (0 if pruned else PRUNING_SECONDS)

    def _finish(self, deadline: float) -> None:
        self._write()
        while self._waiting and time.monotonic() < deadline:
            time.sleep(FIRST_RETRY_SECONDS / 2)
            self._write()
        if self._waiting:
            log.warning("changes lost to the energy ledger: %d (%s)", len(self._waiting), self._reason)
        if self._ledger is not None:
            self._ledger.close()
