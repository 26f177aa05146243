"""`greencode train kv-map`: keys and values of deep layers from a shallow state."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from greencode_lsp.cli.console import print_json, progress_bar, results
from greencode_lsp.cli.train_exits import (
    Context,
    Corpus,
    Device,
    Exits,
    Json,
    Model,
    open_runner,
    require_training_libraries,
    share,
)


def kv_map(
    corpus: Corpus,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="The run's folder, kv_map-DEPTH.safetensors in it; a stopped run goes on there."
        ),
    ],
    depth: Annotated[int, typer.Option(min=1, help="Layers that rows far above run; an exit must stand there.")] = 18,
    near: Annotated[int, typer.Option(min=0, help="Rows above the cursor that run all layers.")] = 48,
    model: Model = "smollm2-135m",
    at: Exits = None,
    start: Annotated[
        Path | None, typer.Option(help="A map's file to go on from, in place of a first one by least squares.")
    ] = None,
    fit_tokens: Annotated[int, typer.Option(min=2, help="Tokens to fit a first map to, by least squares.")] = 50_000,
    max_tokens: Annotated[
        int, typer.Option(min=0, help="Tokens it learns from then; 0 leaves it as it is.")
    ] = 2_000_000,
    check_tokens: Annotated[
        int, typer.Option(min=2, help="Tokens of other projects to measure its loss on.")
    ] = 200_000,
    learning_rate: Annotated[float, typer.Option(min=0)] = 5e-4,
    context: Context = 1024,
    seed: Annotated[int, typer.Option(help="Decides which files are read.")] = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train what rows far above the cursor leave in deep layers instead of running them, and measure what it loses."""
    require_training_libraries()
    from greencode_lsp.engine.kv_map import kv_map_file
    from greencode_lsp.training.kv_map.training import MapJob, train_kv_map

    job = MapJob(corpus, out, depth, near, start, fit_tokens, max_tokens, check_tokens, learning_rate, context, seed)
    with progress_bar() as report:
        opened = open_runner(model, None, at, device, report)
        measured = train_kv_map(opened, job, report)
    if as_json:
        print_json({"file": str(out / kv_map_file(depth)), "depth": depth, **measured})
        return
    table = Table("tokens", "right", "filled", "as without", "right ones lost", "95 % limit", "joules in layers")
    table.add_row(
        f"{measured['tokens']:,}",
        share(measured["accuracy"]),
        share(measured["accuracy_filled"]),
        share(measured["agreement"]),
        f"{measured['loss']:.2%}",
        f"{measured['upper_loss']:.2%}",
        f"{measured['map_layers']:.2f} for {opened.runner.shape.layers - depth}",
    )
    results.print(table)
    results.print(
        f"{out / kv_map_file(depth)}: measured on {measured['texts']} texts of {measured['projects']} projects; "
        "calibrate beside it, so that profiles keep their bounds with it",
        markup=False,
    )
