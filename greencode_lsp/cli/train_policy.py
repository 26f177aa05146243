"""`greencode train policy` and `greencode train policy-table`: learn when to exit, and compare what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from greencode_lsp.cli.console import print_json, progress_bar, results
from greencode_lsp.cli.policy_costs import CostModel, Device, HeadLayers, costs_for
from greencode_lsp.errors import UserError
from greencode_lsp.files import replace_file
from greencode_lsp.policy.bundle import POLICY_FILE

if TYPE_CHECKING:
    from greencode_lsp.policy import Calibration
    from greencode_lsp.training.policy.table import Row

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MaxRows = Annotated[int | None, typer.Option(min=1, help="Tokens to read at most, in whole files drawn at random.")]


def policy(
    traces: Annotated[Path, typer.Argument(metavar="TRACES", help="A folder of training traces.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder that policy.safetensors goes into.")],
    algorithm: Annotated[str, typer.Option(help="ppo, stopping or supervised.")] = "supervised",
    reward: Annotated[str, typer.Option(help="energy, paper, paper-alignment or paper-scaled.")] = "energy",
    right: Annotated[
        str,
        typer.Option(help="What counts as right: agreement with full depth, truth (the token that came), or both."),
    ] = "agreement",
    price: Annotated[
        float, typer.Option("--lambda", min=0, help="What the energy of a token at full depth is worth, in tokens.")
    ] = 0.15,
    paper: Annotated[bool, typer.Option("--paper", help="PPO exactly as GREEN-CODE has it.")] = False,
    on_policy: Annotated[
        Path | None, typer.Option(metavar="TRACES", help="Traces of texts that a policy wrote, to learn from, too.")
    ] = None,
    model: CostModel = None,
    head_layers: HeadLayers = 8.0,
    device: Device = "auto",
    steps: Annotated[int, typer.Option(min=4096, help="PPO: decisions to take.")] = 500_000,
    epochs: Annotated[int, typer.Option(min=1, help="stopping, supervised: passes over the traces.")] = 4,
    learning_rate: Annotated[float | None, typer.Option(help="By default one that fits the algorithm.")] = None,
    width: Annotated[int, typer.Option(min=1, max=1024, help="Size of the first hidden layer.")] = 128,
    focal: Annotated[float, typer.Option(min=0, help="supervised: exponent of the focal loss.")] = 0.0,
    seed: int = 420,
    max_rows: MaxRows = 400_000,
    as_json: Json = False,
) -> None:
    """Train a policy on recorded traces."""
    from greencode_lsp.training.policy.export import write_policy
    from greencode_lsp.training.policy.rewards import RIGHT
    from greencode_lsp.training.policy.trace_set import as_full_depth_says, join, load_traces
    from greencode_lsp.training.policy.train import ALGORITHMS, REWARDS, TrainOptions, train

    for name, value, choices in (
        ("--algorithm", algorithm, ALGORITHMS),
        ("--reward", reward, REWARDS),
        ("--right", right, RIGHT),
    ):
        if value not in choices:
            raise UserError(f"unknown {name} {value!r}; there are: {', '.join(choices)}")
    options = TrainOptions(algorithm, reward, right, price, focal, seed)
    fit, ppo = options.fit, options.ppo
    options = replace(
        options,
        fit=replace(fit, width=width, epochs=epochs, learning_rate=learning_rate or fit.learning_rate),
        ppo=replace(ppo, width=width, steps=steps, learning_rate=learning_rate or ppo.learning_rate),
    )
    if paper:
        options = options.as_in_the_paper()
    with progress_bar() as report:
        recorded = load_traces(traces, max_rows, seed)
        if on_policy is not None:
            recorded = join([recorded, as_full_depth_says(load_traces(on_policy, max_rows, seed))])
        costs = costs_for(recorded, model, head_layers, device, report)
        trained = train(recorded, options, costs, report)
    path = out / POLICY_FILE
    facts = {"reward": options.reward, "right": right, "lambda": repr(price), "seed": str(seed), "cost": costs.unit}
    write_policy(path, trained.policy, **facts)
    if as_json:
        print_json({"policy": str(path), "held_out": asdict(trained.held_out), "rows": len(recorded), **facts})
        return
    held_out = trained.held_out
    results.print(
        f"On files held out, at a score of 0: [bold]{held_out.agreement:.1%}[/] of tokens as at full depth, "
        f"mean depth {held_out.mean_depth:.1f} of {recorded.layers}, {held_out.saved:.0%} of {costs.unit} saved."
    )
    results.print(f"The policy is in {path}; calibrate it next: greencode calibrate", markup=False)


def policy_table(
    traces: Annotated[Path, typer.Argument(metavar="TRACES", help="A folder of held-out traces.")],
    policy: Annotated[list[Path], typer.Option(help="A policy file; may be repeated, the first to compare with.")],
    out: Annotated[Path | None, typer.Option(help="Also write the table there, as JSON.")] = None,
    model: CostModel = None,
    head_layers: HeadLayers = 8.0,
    device: Device = "auto",
    max_rows: MaxRows = None,
    as_json: Json = False,
) -> None:
    """Compare policies with each other and with every control at equal mean depth."""
    import json

    from greencode_lsp.policy.learned import read_policy
    from greencode_lsp.training.policy.table import policy_table as compare
    from greencode_lsp.training.policy.trace_set import load_traces

    with progress_bar() as report:
        recorded = load_traces(traces, max_rows)
        costs = costs_for(recorded, model, head_layers, device, report)
        report("comparing", 0, 1)
        policies = {name_of(path): read_policy(path) for path in policy}
        rows = compare(recorded, policies, costs, calibrations=calibrations_beside(policy))
    found = {"rows": [row.as_dict() for row in rows], "tokens": len(recorded), "cost": costs.unit, **asdict(costs)}
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, (json.dumps(found, indent=2) + "\n").encode())
    if as_json:
        print_json(found)
        return
    print_rows(rows)
    projects = len(set(recorded.packages.tolist()))
    results.print(
        f"{len(recorded):,} tokens of {projects} projects; ± from 95 % intervals, by bootstrap over projects; "
        f"cost in {costs.unit}"
    )


def calibrations_beside(policies: Sequence[Path]) -> dict[str, Calibration]:
    """Return the calibration that lies beside each policy and is of it, by the policy's name."""
    from greencode_lsp.policy.bundle import file_sha256
    from greencode_lsp.policy.calibration import CALIBRATION_FILE, read_calibration

    found = {
        name_of(path): read_calibration(path.parent / CALIBRATION_FILE)
        for path in policies
        if (path.parent / CALIBRATION_FILE).is_file()
    }
    own = {name_of(path): file_sha256(path) for path in policies}
    return {name: calibration for name, calibration in found.items() if calibration.policy_sha256 == own[name]}


def name_of(path: Path) -> str:
    """Return what a policy is called in a table: its file's name, or its folder's where that says nothing."""
    return path.stem if path.name != POLICY_FILE else path.parent.name or path.stem


def print_rows(rows: Sequence[Row]) -> None:
    """Print a policy table."""
    table = Table("", "accuracy kept", "as full depth", "mean depth", "saved", "naive", "behind the first")
    for column in table.columns[1:]:
        column.justify = "right"
    target = None
    for row in rows:
        if row.target_depth != target:
            table.add_section()
            target = row.target_depth
        figures, ci95 = row.figures, row.ci95
        behind = "" if row.behind is None else f"{row.behind[0]:+.2%} [{row.behind[1]:+.2%}, {row.behind[2]:+.2%}]"
        table.add_row(
            row.name,
            f"{figures.accuracy_kept:.2%} {plus_minus(ci95['accuracy_kept'])}",
            f"{figures.agreement:.2%}",
            f"{figures.mean_depth:.2f}",
            f"{figures.saved:.1%} {plus_minus(ci95['saved'])}",
            f"{figures.saved_naive:.1%}",
            behind,
        )
    results.print(table)


def plus_minus(interval: tuple[float, float]) -> str:
    """Write half the width of an interval."""
    return f"± {(interval[1] - interval[0]) / 2:.2%}"
