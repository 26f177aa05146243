"""`greencode calibrate`: from an allowed quality loss to a policy's thresholds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from greencode_lsp.cli.console import print_json, progress_bar, results
from greencode_lsp.cli.policy_costs import CostModel, Device, HeadLayers, costs_for
from greencode_lsp.cli.train_policy import Json, MaxRows, print_rows
from greencode_lsp.files import replace_file
from greencode_lsp.policy.bundle import POLICY_FILE, file_sha256
from greencode_lsp.policy.calibration import CALIBRATION_FILE, Bound, Calibration, ProvenMap

CURVE_FILE = "calibration-curve.json"


def calibrate(
    traces: Annotated[Path, typer.Argument(metavar="TRACES", help="A folder of traces of the calibration split.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder that calibration.json goes into.")],
    policy: Annotated[Path | None, typer.Option(help="The policy file; that in OUT by default.")] = None,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of each bound on its own.")] = 0.95,
    model: CostModel = None,
    head_layers: HeadLayers = 8.0,
    device: Device = "auto",
    max_rows: MaxRows = None,
    as_json: Json = False,
) -> None:
    """Prove for each allowed loss of next-token accuracy the lowest threshold that keeps it."""
    from greencode_lsp.training.calibration.calibrate import calibrate as prove
    from greencode_lsp.training.policy.trace_set import load_traces

    path = policy or out / POLICY_FILE
    with progress_bar() as report:
        recorded = load_traces(traces, max_rows)
        costs = costs_for(recorded, model, head_layers, device, report)
        found = prove(recorded, path, costs, report, confidence, maps_of(out))
    out.mkdir(parents=True, exist_ok=True)
    found.calibration.write(out / CALIBRATION_FILE)
    curve = {"cost": costs.unit, "tokens": len(recorded), "rows": [row.as_dict() for row in found.curve]}
    replace_file(out / CURVE_FILE, (json.dumps(curve, indent=2) + "\n").encode())
    if as_json:
        print_json({"calibration": asdict(found.calibration), "curve": curve})
        return
    print_rows(found.curve)
    print_bounds(found.calibration, recorded.layers)
    results.print(f"cost in {costs.unit}; written to {out / CALIBRATION_FILE} and {out / CURVE_FILE}", markup=False)


def maps_of(folder: Path) -> list[ProvenMap]:
    """Return a bundle's maps of keys and values, and what they may cost; raise `EngineError`."""
    from greencode_lsp.engine.kv_map import KV_MAP_FILES, facts_of

    paths = sorted(folder.glob(KV_MAP_FILES))
    return [ProvenMap(depth, file_sha256(path), loss) for path in paths for depth, loss in (facts_of(path),)]


def print_bounds(calibration: Calibration, layers: int) -> None:
    """Print what was proven, and say plainly what was not."""
    table = Table("loss allowed", "profile", "threshold", "loss found", f"{calibration.confidence:.0%} limit")
    for name in ("mean depth", "saved", "map"):
        table.add_column(name)
    for column in table.columns[2:]:
        column.justify = "right"
    names = {loss: name for name, loss in calibration.profiles.items()}
    for bound in calibration.bounds:
        profile = names.get(bound.loss, "")
        if bound.threshold is None:
            table.add_row(
                f"{bound.loss:.1%}", profile, "never exits", "0", "", f"{layers}", "0%", map_name(calibration, bound)
            )
            continue
        table.add_row(
            f"{bound.loss:.1%}",
            profile,
            f"{bound.threshold:.3f}",
            f"{bound.expected_loss:.2%}",
            f"{bound.upper_loss:.2%}",
            f"{bound.mean_depth:.2f}",
            f"{bound.saved:.1%}",
            map_name(calibration, bound),
        )
    results.print(table)
    for bound in calibration.bounds:
        if bound.threshold is None:
            results.print(
                f"No threshold keeps the loss within {bound.loss:.1%} for certain: tokens will not exit at all there.",
                style="yellow",
            )
    results.print(
        f"Loss of next-token accuracy against full depth, from {calibration.rows:,} tokens of {calibration.clusters} "
        f"{calibration.unit}s, each bound with {calibration.confidence:.0%} confidence."
    )


def map_name(calibration: Calibration, bound: Bound) -> str:
    """Name the map of keys and values that has a part of a bound, and that part."""
    taken = {one.depth: one.upper_loss for one in calibration.maps}
    return f"after {bound.fill}: {taken[bound.fill]:.2%}" if bound.fill else ""
