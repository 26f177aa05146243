"""Runs one program under limits, as a process of its own: `python -I child.py PROGRAM SECONDS BYTES BLOCK_SOCKETS`.

Imports nothing of greencode: what runs here is text that a model wrote.
"""

import resource
import runpy
import socket
import sys
from typing import Any, NoReturn

OPEN_FILES = 32
FILE_BYTES = 1 << 20
PROCESSES = 0

PASSED = 42
"""The exit status of a program that came to its end: one that exits by itself, with any status, has not."""


def limit(seconds: int, memory_bytes: int) -> None:
    """Limit CPU time, memory, files, and forbid further processes (root is not held by that last limit)."""
    for kind, amount in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, PROCESSES),
    ):
        resource.setrlimit(kind, (amount, amount))


def block_sockets() -> None:
    """Take the network away from Python code, where the system could not."""

    def refuse(*arguments: Any, **named: Any) -> NoReturn:
        raise PermissionError("there is no network here")

    for name in ("socket", "create_connection", "create_server", "socketpair", "fromfd"):
        setattr(socket, name, refuse)


if __name__ == "__main__":
    program, cpu_seconds, memory, blocked = sys.argv[1:]
    if blocked == "1":
        block_sockets()
    limit(int(cpu_seconds), int(memory))
    sys.argv = [program]
    runpy.run_path(program, run_name="__main__")
    sys.exit(PASSED)
