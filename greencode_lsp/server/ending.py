"""How the process ends: at once and in order, whatever still runs in it."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

SIGNAL_STATUS = 128
"""What shells add to a signal's number for the status of a process that it ended."""

LONGEST_END_SECONDS = 3.0


def end(status: int, tidy: Callable[[], None]) -> None:
    """Call `tidy` and end the process; it ends even where `tidy` hangs.

    An orderly end of the interpreter would wait for the model thread, which may be deep in a computation.
    """
    hanging = threading.Timer(LONGEST_END_SECONDS, os._exit, (status,))
    hanging.daemon = True
    hanging.start()
    try:
        tidy()
        logging.shutdown()
    finally:
        os._exit(status)


def end_on_signals(leave: Callable[[int], None]) -> None:
    """Call `leave` with the status once SIGINT or SIGTERM comes; a second signal ends the process on the spot.

    It is called on a thread of its own: the thread that a signal interrupts may hold any lock.
    """
    asked = threading.Event()

    def handle(number: int, _: FrameType | None) -> None:
        if asked.is_set():
            os._exit(SIGNAL_STATUS + number)
        asked.set()
        threading.Thread(target=leave, args=(SIGNAL_STATUS + number,), name="greencode-end", daemon=True).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
