"""Waiting for what other processes bring about: as long as one of them computes, however slow the machine is."""

import time
from collections.abc import Callable

import psutil

LOOK_SECONDS = 0.02

LOOKS_BETWEEN_SAMPLES = 100

STILL_SAMPLES = 60
"""Two minutes of looks. They are counted, not timed: a machine that stands still does not look either."""

HANG_SECONDS = 600
"""The longest wait of a test, and the time limit of what it starts. Only something that hangs takes this long."""

SECONDS_AFTER_A_FAILURE = 30
"""The longest wait once there was one in vain: the run has failed, and is not to take hours to say so."""

waited_in_vain: list[str] = []
"""What this process has waited for in vain."""


def child_processes() -> list[psutil.Process]:
    """Return all processes below this one."""
    return psutil.Process().children(recursive=True)


class Patience:
    """Counts the looks of one wait and ends it when it is in vain.

    A wait is in vain when no process is left that could end it, when none of them has used a processor for
    `STILL_SAMPLES` samples, or after `HANG_SECONDS`, and sooner once another wait was.
    """

    def __init__(self, what: str, processes: Callable[[], list[psutil.Process]] = child_processes) -> None:
        self._what, self._processes = what, processes
        self._began = time.monotonic()
        self._looks = self._still = 0
        self._cpu_seconds = -1.0

    def look_again(self) -> None:
        """Count one look; raise AssertionError when the wait is in vain."""
        self._looks += 1
        if self._looks % LOOKS_BETWEEN_SAMPLES:
            return
        running = {process: seconds for process in self._processes() if (seconds := cpu_seconds(process)) is not None}
        before, self._cpu_seconds = self._cpu_seconds, sum(running.values())
        self._still = self._still + 1 if self._cpu_seconds == before else 0
        if not running and self._still:
            self._give_up("no process is left")
        if self._still >= STILL_SAMPLES:
            self._give_up("none of the processes computes")
        if time.monotonic() - self._began > (SECONDS_AFTER_A_FAILURE if waited_in_vain else HANG_SECONDS):
            self._give_up("the processes go on")

    def _give_up(self, why: str) -> None:
        waited_in_vain.append(self._what)
        raise AssertionError(f"waited {time.monotonic() - self._began:.0f} s in vain until {self._what}: {why}")


def cpu_seconds(process: psutil.Process) -> float | None:
    """Return the processor seconds that a process has used, None where it has ended."""
    try:
        times = process.cpu_times()
        return None if process.status() == psutil.STATUS_ZOMBIE else times.user + times.system
    except psutil.Error:
        return None
