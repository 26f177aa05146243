"""`greencode train drafter`: a small network that says what comes one token later."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from greencode_lsp.cli.console import print_json, progress_bar, results
from greencode_lsp.cli.train_exits import (
    Context,
    Corpus,
    Device,
    Json,
    Model,
    chosen_device,
    require_training_libraries,
    share,
)


def drafter(
    corpus: Corpus,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The run's folder, drafter.safetensors in it; a stopped run goes on.")
    ],
    model: Model = "smollm2-135m",
    start: Annotated[Path | None, typer.Option(help="A drafter's file to go on from.")] = None,
    max_tokens: Annotated[int, typer.Option(min=2, help="Tokens of the corpus to learn from.")] = 1_200_000,
    epochs: Annotated[int, typer.Option(min=1, help="How often to learn from each.")] = 2,
    width: Annotated[int, typer.Option(min=0, help="Width of its MLP.")] = 1152,
    taught: Annotated[int, typer.Option(min=1, help="Of so many tokens, the most frequent, it learns.")] = 8192,
    shortlist: Annotated[
        int, typer.Option(min=1, help="It chooses among so many of them, and the words of the text.")
    ] = 2048,
    check_tokens: Annotated[int, typer.Option(min=2, help="Tokens of held-out projects to measure on.")] = 30_000,
    learning_rate: Annotated[float, typer.Option(min=0)] = 2e-3,
    context: Context = 1024,
    seed: Annotated[int, typer.Option(help="Decides which files are read, and in which order.")] = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train a network that drafts tokens from full depth's last state, for full depth to check."""
    require_training_libraries()
    from greencode_lsp.engine.drafts.drafter import DRAFTER_FILE
    from greencode_lsp.training.drafter.training import DrafterJob, train_drafter
    from greencode_lsp.training.opened import open_model

    job = DrafterJob(
        corpus, out, start, max_tokens, epochs, width, taught, shortlist, check_tokens, learning_rate, context, seed
    )
    with progress_bar() as report:
        opened = open_model(model, None, None, chosen_device(device), report, without_exits=True)
        measured = train_drafter(opened, job, report)
    if as_json:
        print_json({"file": str(out / DRAFTER_FILE), **measured})
        return
    table = Table("called so likely", "and was right")
    for name, value in measured.items():
        if name.startswith("right_"):
            table.add_row(f"from {name.removeprefix('right_')} %", share(value))
    results.print(table)
    results.print(
        f"{out / DRAFTER_FILE}: says what full depth says of {share(measured['agreement'])} of {measured['tokens']:,} "
        "tokens of held-out projects, one token ahead",
        markup=False,
    )
