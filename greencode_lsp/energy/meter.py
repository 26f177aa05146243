"""What a meter is, and what a probe says about one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Meter(Protocol):
    """Counts the joules spent since it was made; read from one thread only.

    `source` is "nvml", "rapl" or "estimate"; `detail` says for people what is counted.
    """

    source: str
    detail: str

    def read_joules(self) -> float:
        """Joules since the meter was made; never falls, never raises.

        Where the counter cannot be read, the last value is returned and the reason logged once.
        """
        ...


@dataclass(frozen=True)
class Probe:
    """Whether a kind of meter works here: `meter` is None where it does not, `detail` says why, `fix` what helps.

    `fix` is empty where nothing needs doing or nothing can be done.
    """

    source: str
    meter: Meter | None
    detail: str
    fix: str = ""
