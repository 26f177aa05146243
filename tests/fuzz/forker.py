"""A process that has imported everything and forks for each attempt: `python -m tests.fuzz.forker`.

Importing torch takes seconds, an attempt milliseconds. What forks has started no thread and loaded no kernel yet.
It reads one JSON object for each attempt from stdin, and answers with one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.fuzz.targets import run, set_folders
from tests.waiting import HANG_SECONDS

LOOK_SECONDS = 0.01

PROCESSOR_SECONDS = 120
"""What an attempt may compute. An ordinary one takes a tenth of a second, with sanitizers half a second."""

MEMORY_BYTES = 4 << 30
"""What an attempt may hold in memory. Sanitizers reserve terabytes: what is reserved cannot be limited."""


def attempt(folder: Path, target: str, path: Path) -> dict[str, Any]:
    """Run one attempt in a forked process; return how it ended."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            for descriptor, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
            set_folders(folder)
            status = run(target, path)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)
    stopped = watch(child)
    _, ended = os.waitpid(child, 0)
    return {
        "status": os.waitstatus_to_exitcode(ended),
        "stopped": stopped,
        "seconds": round(time.monotonic() - started, 3),
    }


def watch(child: int) -> str:
    """Wait until a process ends; kill it where it takes too much, and return of what."""
    process, began = psutil.Process(child), time.monotonic()
    while True:
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                return ""
            times = process.cpu_times()
            taken = ""
            if times.user + times.system > PROCESSOR_SECONDS or time.monotonic() - began > HANG_SECONDS:
                taken = "time"
            elif process.memory_info().rss > MEMORY_BYTES:
                taken = "memory"
            if taken:
                os.kill(child, signal.SIGKILL)
                return taken
        time.sleep(LOOK_SECONDS)


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing else may write between the answers
    for line in sys.stdin:
        asked = json.loads(line)
        print(
            json.dumps(attempt(Path(asked["folder"]), asked["target"], Path(asked["path"]))), file=answers, flush=True
        )


if __name__ == "__main__":
    main()
