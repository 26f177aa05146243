"""`greencode train kv-map`: keys and values of deep layers from a shallow state."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from greencode_lsp.cli.console import print_json, progress_bar, results
from greencode_lsp.cli.train_exits import Context, Corpus, Device, Exits, Json, Model, open_runner, share
from greencode_lsp.errors import UserError


def kv_map(
    corpus: Corpus,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The bundle's folder; kv_map.safetensors goes into it.")],
    depth: Annotated[int, typer.Option(min=1, help="Layers that rows far above run; an exit must stand there.")] = 24,
    model: Model = "smollm2-135m",
    at: Exits = None,
    max_tokens: Annotated[int, typer.Option(min=2, help="Tokens to fit it to.")] = 50_000,
    check_tokens: Annotated[
        int, typer.Option(min=2, help="Tokens of other projects to measure its loss on.")
    ] = 200_000,
    context: Context = 1024,
    seed: Annotated[int, typer.Option(help="Decides which files are read.")] = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Fit what rows far above the cursor leave in deep layers instead of running them, and measure what that loses."""
    from greencode_lsp.engine import load_backbone
    from greencode_lsp.engine.kv_map import KV_MAP_FILE, save_kv_map
    from greencode_lsp.training.kv_map import fit_and_measure
    from greencode_lsp.training.traces.shards import disk_errors
    from greencode_lsp.training.traces.texts import Choice

    with progress_bar() as report:
        opened = open_runner(model, None, at, device, report)
        if depth not in opened.exits or depth >= opened.runner.shape.layers:
            raise UserError(f"--depth {depth}: give the depth of an exit that leaves out layers, of {opened.exits}")
        backbone = load_backbone(opened.material.folder, adapters=opened.adapters)
        fitting = opened.windows(corpus, "train", Choice(max_tokens, context, 1, seed))
        checking = opened.windows(corpus, "calibration", Choice(check_tokens, context, 1, seed))
        found, measured = fit_and_measure(opened, backbone, depth, fitting, checking, report)
    out.mkdir(parents=True, exist_ok=True)
    with disk_errors(out):
        save_kv_map(out / KV_MAP_FILE, found, opened.runner.shape, opened.material.identity)
    if as_json:
        print_json({"file": str(out / KV_MAP_FILE), "depth": depth, **measured})
        return
    table = Table("near tokens", "right", "filled", "as without", "right ones lost", "95 % limit", "joules in layers")
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
        f"{out / KV_MAP_FILE}: measured on {measured['texts']} texts of {measured['projects']} projects; calibrate "
        "again, so that profiles keep their bounds with it",
        markup=False,
    )
