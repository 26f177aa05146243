"""`greencode train`: make a bundle's artefacts."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from greencode_lsp.cli import train_drafter, train_exits, train_kv_map, train_ngrams, train_policy
from greencode_lsp.cli.console import print_json, progress_bar, results, warn
from greencode_lsp.errors import UserError

app = typer.Typer(help="Make what a bundle needs: a corpus, exits, traces, a policy.", no_args_is_help=True)
app.command()(train_exits.exits)
app.command()(train_exits.shortlist)
app.command()(train_ngrams.ngrams)
app.command()(train_drafter.drafter)
app.command()(train_exits.curves)
app.command()(train_exits.traces)
app.command()(train_exits.formats)
app.command("kv-map")(train_kv_map.kv_map)
app.command()(train_policy.policy)
app.command("policy-table")(train_policy.policy_table)

Model = Annotated[str, typer.Option(help="A bundle's name, or a folder with a model.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def corpus(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The corpus folder; a stopped run goes on there.")],
    packages: Annotated[
        Path | None, typer.Option(help="A package list of your own instead of the shipped one.")
    ] = None,
    decontaminate: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Rows (.jsonl, .jsonl.gz, or a folder of them) to keep out; may be repeated."
        ),
    ] = None,
    model: Model = "smollm2-135m",
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Training tokens at most.")] = None,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Exit with 0 also when packages failed.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch pinned open-source packages and write their code as the model's token ids, split by project."""
    from greencode_lsp.models import find_bundle, ready_folder
    from greencode_lsp.training.corpus import SPLITS
    from greencode_lsp.training.corpus.building import BuildOptions, build_corpus
    from greencode_lsp.training.corpus.package_list import SHIPPED

    with progress_bar() as report:
        bundle = find_bundle(model)
        folder = ready_folder(bundle, lambda progress: report(progress.stage, progress.done, progress.total))
        asked = BuildOptions(
            out, folder / "tokenizer.json", packages or SHIPPED, tuple(decontaminate or ()), max_tokens
        )
        made = build_corpus(asked, report, warn)
    failed = made.header["failed"]
    if as_json:
        print_json({"folder": str(out), "tokens": {split: made.tokens(split) for split in SPLITS}, **made.header})
    else:
        table = Table("split", "language", "packages", "files", "tokens")
        for split in SPLITS:
            for language in dict.fromkeys(package.language for package in made.packages):
                of = [package for package in made.packages if (package.split, package.language) == (split, language)]
                files, tokens = sum(package.files for package in of), sum(package.tokens for package in of)
                table.add_row(split, language, str(len(of)), f"{files:,}", f"{tokens:,}")
        results.print(table)
        for reason, count in made.header["removed"].items():
            results.print(f"left out: {count:,} files, {reason}")
        for name in made.header["evaluation_projects"]:
            results.print(f"left out: {name}, it is an evaluation project", markup=False)
        results.print(f"the corpus is in {out}", markup=False)
    if failed and not keep_going:
        raise UserError(f"packages missing: {len(failed)}; run the same command again for them or add --keep-going")
