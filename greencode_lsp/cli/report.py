"""`greencode report`: one page of results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from greencode_lsp.cli.console import print_json, progress_bar, results, warn


def report(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS...", help="Files that greencode eval wrote; shards are put together."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page.")] = Path("report.html"),
    examples: Annotated[
        bool, typer.Option("--examples/--no-examples", help="Show lines of the data sets; without, to publish a page.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write one HTML page, with plots, that needs no network and nothing else."""
    from greencode_lsp.evaluation.errors import EvaluationError
    from greencode_lsp.evaluation.report.page import render
    from greencode_lsp.evaluation.runs.journal import Journal, merge_journals, read_journal
    from greencode_lsp.evaluation.summary import summarise

    runs: dict[tuple[str, ...], list[tuple[Journal, str]]] = {}
    summaries = []
    with progress_bar() as progress:
        for file in files:
            journal = read_journal(file)
            key = tuple(str(journal.settings.get(name)) for name in ("suite", "form", "model"))
            runs.setdefault(key, []).append((journal, str(file)))
        for done, parts in enumerate(runs.values()):
            progress("computing figures", done, len(runs))
            summaries.append(summarise(merge_journals([part for part, _ in parts], [name for _, name in parts])))
        for each in summaries:
            if each.incomplete:
                warn(f"{each.suite}, {each.form}: {each.incomplete} more examples lack an answer; is a file missing?")
        progress("drawing", 0, 1)
        page = render(summaries, examples)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise EvaluationError(f"{out} cannot be written: {error.strerror or error}") from error
    if as_json:
        print_json({"path": str(out)})
    else:
        results.print(f"the report is in {out}", markup=False)
