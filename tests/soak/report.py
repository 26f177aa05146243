"""The report of a run: JSON for programs, tables for people."""

from __future__ import annotations

import json
import platform
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.soak.checks import percentile
from tests.soak.editor import Editor
from tests.soak.run import Run

MEGABYTE = 2**20


def report(run: Run) -> dict[str, Any]:
    """Return everything that was measured, for JSON. Seconds count from when the servers were ready."""
    return {
        "seed": run.seed,
        "minutes": run.minutes,
        "seconds": round(run.now(), 1),
        "warm_up_seconds": round(run.warm_up_ended, 1),
        "machine": {"processors": psutil.cpu_count(), "python": platform.python_version()},
        "surroundings": dict(run.surroundings.events) if run.surroundings is not None else {},
        "answers_while_ledger_locked": run.surroundings.answered_while_locked if run.surroundings is not None else 0,
        "faults": run.faults.lines(),
        "examples": run.faults.payload(),
        "clients": {editor.habit.name: client_report(run, editor) for editor in run.editors},
    }


def client_report(run: Run, editor: Editor) -> dict[str, Any]:
    """Return what one client did and what its server took for it."""
    name = editor.habit.name
    return {
        "operations": dict(editor.operations.most_common()),
        "answers": dict(editor.answers),
        "received": dict(editor.connection.received),
        "latency_ms": {
            method: {
                "count": len(seconds),
                **{f"p{share:.0f}": round(1000 * (percentile(seconds, share / 100) or 0)) for share in (50, 90, 99)},
                "max": round(1000 * max(seconds)),
            }
            for method, seconds in sorted(editor.connection.latencies.items())
        },
        "memory_growth": run.memory_growth(editor),
        "handles_before": run.handles_before.get(name),
        "handles_after": run.handles_after.get(name),
        "idle_share": run.idle_share.get(name),
        "log_lines": len(editor.server.log().splitlines()),
        "samples": editor.server.payload(),
    }


def write(run: Run) -> None:
    """Write report.json into the run's folder."""
    (run.folders.out / "report.json").write_text(json.dumps(report(run), indent=1, default=str), "utf-8")


def show(run: Run, console: Console) -> None:
    """Print the tables, and last one line for each kind of fault."""
    facts = report(run)
    table = Table(title=f"soak: seed {run.seed}, {facts['seconds'] / 60:.1f} minutes")
    table.add_column("")
    for name in facts["clients"]:
        table.add_column(name, justify="right")
    clients = list(facts["clients"].values())
    table.add_row("operations", *(str(sum(one["operations"].values())) for one in clients))
    for kind in ("with items", "empty", "cancelled", "error"):
        table.add_row(f"answers: {kind}", *(str(one["answers"].get(kind, 0)) for one in clients))
    table.add_row("memory, MB, each eighth", *(curve(editor) for editor in run.editors))
    table.add_row("growth after warm-up", *(share_text(one["memory_growth"]) for one in clients))
    for label, key in (("handles after warm-up", "handles_before"), ("handles at the end", "handles_after")):
        table.add_row(label, *("-" if one[key] is None else str(len(one[key])) for one in clients))
    table.add_row("idle, of a processor", *(share_text(one["idle_share"]) for one in clients))
    for method in sorted({method for one in clients for method in one["latency_ms"]}):
        table.add_row(
            f"{method.rpartition('/')[2]}, ms", *(latency_text(one["latency_ms"].get(method)) for one in clients)
        )
    table.add_row("lines in the log", *(str(one["log_lines"]) for one in clients))
    console.print(table)
    console.print("around them: " + ", ".join(f"{event} {count}" for event, count in facts["surroundings"].items()))
    for line in facts["faults"]:
        console.print(f"FAULT {line}", markup=False, highlight=False, soft_wrap=True)
    console.print("failed" if run.faults else "passed")


def curve(editor: Editor) -> str:
    """Return the mean resident memory in each eighth of the run."""
    sizes = [sample.resident_bytes / MEGABYTE for sample in editor.server.samples]
    step = max(len(sizes) // 8, 1)
    parts = [sizes[at : at + step] for at in range(0, step * 8, step)]
    return " ".join(f"{sum(part) / len(part):.0f}" for part in parts if part)


def share_text(share: float | None) -> str:
    """Return a share as a percentage."""
    return "-" if share is None else f"{share:+.1%}"


def latency_text(latency: dict[str, int] | None) -> str:
    """Return the median, the 99th percentile and the longest of some latencies."""
    return "-" if latency is None else f"{latency['p50']} / {latency['p99']} / {latency['max']}"
