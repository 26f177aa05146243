"""`python -m tests.soak --minutes 10 --seed 0 --out build/soak`: run the soak test and say what it found."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from rich.console import Console

from tests.soak import report
from tests.soak.run import Run
from tests.soak.server_process import Folders


def main() -> int:
    """Run; return 1 where a check has failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="what the operations are drawn by (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("build/soak"), help="folder for the report and the logs")
    arguments = parser.parse_args()
    # A shell has what it starts in the background ignore this signal, and servers would begin by ignoring it, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = arguments.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    for old in [*out.glob("*.log"), *out.glob("*.jsonl")]:
        old.unlink()
    console = Console(width=max(Console().width, 120))
    console.print(f"soak: seed {arguments.seed}, {arguments.minutes:g} minutes, report in {out}")
    run = Run(Folders(out), arguments.seed, arguments.minutes)
    try:
        asyncio.run(run.go())
    finally:
        report.write(run)
        report.show(run, console)
    return 1 if run.faults else 0


if __name__ == "__main__":
    sys.exit(main())
