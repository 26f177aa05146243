"""The report of a run: JSON for programs, a table for people."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.fuzz.fuzzer import Fuzzer
from tests.fuzz.verdicts import RIGHT


def report(fuzzer: Fuzzer, seconds: float) -> dict[str, Any]:
    """Return what became of all attempts, for JSON."""
    return {
        "seed": fuzzer.seed,
        "seconds": round(seconds, 1),
        "sanitized": bool(fuzzer.environment),
        "machine": {"processors": psutil.cpu_count(), "python": platform.python_version()},
        "counts": {kind: dict(counts) for kind, counts in sorted(fuzzer.results.counts.items())},
        "faults": [asdict(fault) for fault in fuzzer.results.faults],
    }


def show(facts: dict[str, Any], console: Console) -> None:
    """Print the table, and one line for each fault."""
    how = "with sanitizers" if facts["sanitized"] else "without sanitizers: this machine's compiler has none"
    table = Table(title=f"fuzz: seed {facts['seed']}, {facts['seconds'] / 60:.1f} minutes, {how}")
    wrong = {name for counts in facts["counts"].values() for name in counts} - set(RIGHT)
    columns = ["attempts", *RIGHT, *sorted(wrong)]
    for name in ("", *columns):
        table.add_column(name, justify="right" if name else "left")
    for kind, counts in facts["counts"].items():
        table.add_row(kind, str(sum(counts.values())), *(str(counts.get(name, 0)) for name in columns[1:]))
    console.print(table)
    for fault in facts["faults"]:
        verdict = fault["verdict"]
        line = f"FAULT {fault['kind']}-{fault['number']} ({fault['mutation']}): {verdict['name']}: {verdict['detail']}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print("failed" if facts["faults"] else "passed")
