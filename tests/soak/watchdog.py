"""Telling a slow server from one that hangs, on a machine of any speed: by whether anything still moves."""

from __future__ import annotations

import time

from tests.soak.connection import Connection
from tests.soak.server_process import ServerProcess

STILL_SECONDS = 60.0
"""A server that owes an answer and neither computes nor says anything for so long hangs."""

MOVED_CPU_SECONDS = 0.05
"""Less than that between two looks is what an idle event loop takes."""

SPENT_CPU_SECONDS = 600.0
"""A server that has computed for so long since a request came, and has not answered it, never will."""


class Watchdog:
    """Looks at one server from time to time; `connection` is None where only the process is looked at."""

    def __init__(self, server: ServerProcess, connection: Connection | None = None) -> None:
        self._server, self._connection = server, connection
        self._cpu_seconds, self._messages = 0.0, 0
        self._moved = time.monotonic()

    def still_seconds(self) -> float:
        """Look, and return for how long nothing has moved."""
        cpu_seconds = self._server.cpu_seconds()
        messages = self._connection.received.total() if self._connection is not None else 0
        if cpu_seconds - self._cpu_seconds >= MOVED_CPU_SECONDS or messages != self._messages:
            self._cpu_seconds, self._messages = cpu_seconds, messages
            self._moved = time.monotonic()
        return time.monotonic() - self._moved

    def complaint(self) -> str | None:
        """Say what hangs, None while nothing does."""
        still = self.still_seconds()
        pending = [] if self._connection is None else list(self._connection.pending.values())
        if not pending:
            self._moved = time.monotonic()
            return None
        oldest = min(pending, key=lambda request: request.sent)
        if still >= STILL_SECONDS:
            return f"{len(pending)} requests unanswered, and nothing moves: the oldest is {oldest.method}"
        if self._server.cpu_seconds() - oldest.cpu_seconds >= SPENT_CPU_SECONDS:
            return f"{oldest.method} unanswered after {SPENT_CPU_SECONDS:g} s of computing"
        return None
