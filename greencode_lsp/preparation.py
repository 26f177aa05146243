"""One process at a time makes what the cache lacks: models, compiled kernels, packed weights, measured costs.

Editors start several servers at once. Each of them would fetch, pack and measure for itself, at a fraction of the
speed, and measure the others' work as its own. The locks are the operating system's: they end with their process.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from greencode_lsp.paths import made_folder

log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 1800.0
"""After that a process does the work itself: the owner may have been stopped, which does not end its locks."""

Waiting = Callable[[str], None]
"""Is told what another process does that has to be waited for, as "packs the weights of this model"."""


def log_waiting(what: str) -> None:
    """Log what is waited for: for callers that tell nobody."""
    log.info("waiting for another greencode process that %s", what)


@contextmanager
def one_at_a_time(
    name: str, what: str, waiting: Waiting = log_waiting, longest_seconds: float = LONGEST_WAIT_SECONDS
) -> Iterator[None]:
    """Let one process do a piece of work, called `name`, while others wait; `waiting` is told `what` where it must.

    Look once more inside whether the work is still to be done. Where the cache cannot be locked, nobody waits.
    """
    lock = lock_of(name)
    try:
        acquire(lock, what, waiting, longest_seconds)
    except Timeout:
        log.warning("another greencode process %s for more than %.0f s: this one goes on", what, longest_seconds)
    except (OSError, NotImplementedError) as error:
        log.debug("without a lock %s: %s", name, error)
    try:
        yield
    finally:
        lock.release()


def acquire(lock: FileLock, what: str, waiting: Waiting, longest_seconds: float) -> None:
    """Take a lock, telling `waiting` where somebody else has it; raise `Timeout`, or what the file system refuses."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting(what)
        lock.acquire(timeout=longest_seconds)


@contextmanager
def where_idle(name: str) -> Iterator[bool]:
    """Say whether nobody does the work called `name`, and keep it so meanwhile; False where that cannot be told."""
    lock, idle = lock_of(name), False
    with suppress(Timeout, OSError, NotImplementedError):
        lock.acquire(timeout=0)
        idle = True
    try:
        yield idle
    finally:
        lock.release()


def lock_of(name: str) -> FileLock:
    """Return the lock of a piece of work."""
    folder = made_folder("locks")
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return FileLock(Path(folder) / f"{name}.lock")
