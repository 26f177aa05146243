"""`greencode eval`: quality and energy on public data sets, and whether suggestions break files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from typer.core import TyperGroup

from greencode_lsp.cli import editing
from greencode_lsp.cli.console import print_json, progress_bar, results, warn
from greencode_lsp.completion.suggestion import LoadOptions, Report

if TYPE_CHECKING:
    from greencode_lsp.evaluation.runs.journal import Journal
    from greencode_lsp.evaluation.runs.shards import Shard
    from greencode_lsp.evaluation.summary import Row, Summary


class SuiteGroup(TyperGroup):
    """Takes a suite's name for the command `suite` with that name: `greencode eval py150`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command, `suite` where the first argument names none."""
        if self.get_command(ctx, args[0]) is None:
            args = ["suite", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    help="Measure quality and energy: `greencode eval py150`. Or whether suggestions break files: `editing`.",
    cls=SuiteGroup,
    no_args_is_help=True,
    context_settings={"ignore_unknown_options": True},
)
app.command("editing")(editing.editing)

RESULTS = Path("results")

COLUMNS = {
    "exact_match": "EM %",
    "edit_similarity": "ES %",
    "codebleu": "CodeBLEU",
    "pass_at_1": "pass@1",
    "first_line_acceptance": "taken %",
    "mean_exit_layer": "depth",
    "joules": "J",
    "saved": "saved %",
    "tokens_per_s": "tok/s",
}
"""Columns on the terminal; everything else is in --json and in the report."""

PLAIN = ("mean_exit_layer", "joules", "tokens_per_s")
"""Columns without their intervals."""


@app.command("suite")
def evaluate(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="py150, javacorpus or infilling.")],
    form: Annotated[
        str | None,
        typer.Option(help="raw (default), tokenised, windows or paper; infilling: prefix (default) or suffix."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the data sets are; without it, the Hugging Face hub.")
    ] = None,
    model: Annotated[str, typer.Option(help="A bundle's name, or a folder with a model.")] = "smollm2-135m",
    profile: Annotated[list[str] | None, typer.Option(help="full, exact, balanced or eco; all by default.")] = None,
    control: Annotated[
        list[str] | None,
        typer.Option(
            help="exits, fixed, random, confidence, propagate, original, none. All by default, propagate in windows."
        ),
    ] = None,
    peer: Annotated[list[str] | None, typer.Option(help="hf, layerskip or llama.cpp, on the same examples.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows at most.")] = None,
    cap: Annotated[int | None, typer.Option(min=1, help="Rows of one repository, or one problem, at most.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Results, as JSON lines; a stopped run goes on there.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Run part I of N; accelerate launch sets it by itself.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="0 lets torch choose.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Complete real code at many places with every profile and control, and show quality, depth and energy."""
    from greencode_lsp.evaluation.runs.shards import launched_shard, local_rank, parse_shard
    from greencode_lsp.evaluation.suites.suite import Selection, find_suite
    from greencode_lsp.evaluation.summary import summarise

    part = parse_shard(shard) if shard else launched_shard()
    chosen, chosen_form = find_suite(suite, form)
    choose_gpu(local_rank())
    path = part.file(out or RESULTS / f"{suite}-{chosen_form}.jsonl")
    with progress_bar() as report:
        journal = run_suite(
            chosen.name,
            chosen_form,
            Selection(data, cap, limit),
            LoadOptions(model, device, threads),
            (profile, control, peer),
            path,
            part,
            report,
        )
    summary = summarise(journal)
    if as_json:
        print_json(summary.as_json() | {"results": str(path)})
    else:
        show(summary, path)


def run_suite(
    name: str,
    form: str,
    selection: Any,
    options: LoadOptions,
    names: tuple[list[str] | None, list[str] | None, list[str] | None],
    path: Path,
    shard: Shard,
    report: Report,
) -> Journal:
    """Load model and rows, choose configurations, and run what is missing in the file of results."""
    from dataclasses import asdict

    from greencode_lsp.evaluation.benchmark.machine import describe_machine
    from greencode_lsp.evaluation.execution.sandbox import Sandbox
    from greencode_lsp.evaluation.metrics.choice import WINDOW_FORMS
    from greencode_lsp.evaluation.runs.configurations import (
        CONTROLS,
        PROFILES,
        QUICK_CONTROLS,
        Wanted,
        choose_configurations,
    )
    from greencode_lsp.evaluation.runs.opened import open_bundle
    from greencode_lsp.evaluation.runs.run import run
    from greencode_lsp.evaluation.suites.prompting import Prompter
    from greencode_lsp.evaluation.suites.suite import find_suite, load_examples

    opened = open_bundle(options, report)
    report("reading rows", 0, 1)
    prompter = Prompter(opened.tokenizer, opened.model.backbone.shape.context_length, opened.infill)
    examples = load_examples(find_suite(name, form)[0], form, selection, prompter)
    profiles, controls, peers = names
    usual = CONTROLS if form in WINDOW_FORMS else QUICK_CONTROLS
    wanted = Wanted(profiles or PROFILES, usual if controls is None else without_none(controls), peers or ())
    chosen = choose_configurations(opened, wanted, examples.examples)
    for skipped in examples.skipped[:5]:
        warn(f"row {skipped.row} is left out: {skipped.cause}")
    if len(examples.skipped) > 5:
        warn(f"{len(examples.skipped) - 5} more rows are left out; the counts are in the results")
    for line in chosen.left_out:
        warn(f"left out: {line}")
    header = {
        "settings": {
            "suite": name,
            "form": form,
            "language": examples.language,
            "model": opened.bundle.name,
            "layers": opened.model.layers,
            "exits": list(opened.bundle.exits),
            "artefacts": opened.fingerprint(),
            "data": examples.data,
            "cap": examples.cap,
            "limit": examples.limit,
            "runner": opened.model.backbone.description,
            "configurations": {each.name: {"kind": each.kind, "detail": each.detail} for each in chosen.configurations},
        },
        "machine": asdict(describe_machine(opened.device)),
        "energy": opened.meter_detail,
        "execution": Sandbox().detail if name == "infilling" else None,
        "skipped": examples.causes(),
        "prompts_cut": sum(example.was_cut for example in examples.examples),
        "left_out": chosen.left_out,
        "planned": len(examples.examples),
        "shards": shard.count,
    }
    return run(examples, chosen.configurations, opened.tokenizer, header, path, shard, report)


def without_none(names: Sequence[str]) -> list[str]:
    """Return names without the word for no names at all."""
    return [name for name in names if name != "none"]


def choose_gpu(rank: int) -> None:
    """Take the GPU that a launcher meant for this process."""
    import torch

    if rank and torch.cuda.is_available():
        torch.cuda.set_device(rank)


def show(summary: Summary, path: Path) -> None:
    """Print the main figures as a table."""
    columns = [name for name in COLUMNS if name in summary.metrics]
    table = Table("", box=None, padding=(0, 1), collapse_padding=True)
    for name in columns:
        table.add_column(COLUMNS[name], justify="right", no_wrap=True)
    for row in summary.rows:
        table.add_row(row.name, *(cell(row, name) for name in columns))
    results.print(table)
    results.print(
        f"{summary.suite}, {summary.form}: {summary.examples} examples of {summary.bootstrap.clusters} clusters; "
        "± is half of a 95 % bootstrap interval over clusters"
    )
    if summary.incomplete:
        results.print(f"{summary.incomplete} more examples lack an answer and are not counted")
    for name, count in summary.failures.items():
        results.print(f"{name} failed on {count} examples", markup=False)
    for line in summary.missing:
        results.print(line, markup=False)
    results.print(f"energy from: {summary.header['energy']}", markup=False)
    results.print(f"results: {path}; a page of them: greencode report {path}", markup=False)


def cell(row: Row, name: str) -> str:
    """Write a figure with half of its interval; unknown is a question mark."""
    figure = row.figures[name]
    if figure.value is None:
        return "?"
    if figure.low is None or figure.high is None or name in PLAIN:
        return f"{figure.value:.1f}"
    return f"{round(figure.value, 1) + 0.0:.1f}±{(figure.high - figure.low) / 2:.1f}"
