"""Ending with the client: a server whose editor has crashed must not stay behind with a model in memory."""

import os
import select
import threading
import time
from collections.abc import Callable

import psutil

POLL_SECONDS = 5.0


def watch_process(process_id: int, when_gone: Callable[[], None]) -> None:
    """Call `when_gone` from a thread of its own once that process has ended."""

    def watch() -> None:
        wait_for_exit(process_id)
        when_gone()

    threading.Thread(target=watch, name="greencode-watchdog", daemon=True).start()


def wait_for_exit(process_id: int) -> None:
    """Return once a process, not necessarily our child, has ended. Sleeps in the kernel where Linux allows it."""
    if hasattr(os, "pidfd_open"):
        try:
            handle = os.pidfd_open(process_id)
        except ProcessLookupError:
            return
        except OSError:
            pass  # an old kernel, or a container that forbids it
        else:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            poll.poll()
            os.close(handle)
            return
    while psutil.pid_exists(process_id):
        time.sleep(POLL_SECONDS)
