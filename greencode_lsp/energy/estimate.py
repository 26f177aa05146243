"""Energy estimated from CPU time, for machines without a counter."""

from __future__ import annotations

import time
from collections.abc import Callable

WATTS_PER_CORE = 12.0
"""Entry "Any" of Green Algorithms' table of watts per core (Lannelongue et al. 2021, doi 10.1002/advs.202100707)."""


class EstimateMeter:
    """Charges the CPU seconds of this process, all threads, with an assumed power per busy core.

    `cpu_seconds` is cumulative; `note` is added to `detail`.
    """

    source = "estimate"

    def __init__(
        self,
        cpu_seconds: Callable[[], float] = time.process_time,
        watts_per_core: float = WATTS_PER_CORE,
        note: str = "",
    ) -> None:
        self.detail = f"estimate: CPU seconds x {watts_per_core:g} W per core, an assumed average (Green Algorithms)"
        if note:
            self.detail += f"; {note}"
        self._cpu_seconds = cpu_seconds
        self._watts_per_core = watts_per_core
        self._started_seconds = cpu_seconds()

    def read_joules(self) -> float:
        """Joules since the meter was made."""
        return (self._cpu_seconds() - self._started_seconds) * self._watts_per_core
