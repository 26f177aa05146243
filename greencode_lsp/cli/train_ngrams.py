"""`greencode train ngrams`: what mostly follows in code."""

from pathlib import Path
from typing import Annotated

import typer

from greencode_lsp.cli.console import print_json, progress_bar, results
from greencode_lsp.cli.train_exits import Corpus, Json, Model


def ngrams(
    corpus: Corpus,
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder for ngrams.safetensors.")],
    model: Model = "smollm2-135m",
    as_json: Json = False,
) -> None:
    """Count what mostly follows one to three tokens in code, which is guessed where a text has not said it yet."""
    from greencode_lsp.engine.drafts.ngrams import NGRAMS_FILE, save_ngrams
    from greencode_lsp.training.material import fetch_material, open_corpus
    from greencode_lsp.training.ngrams import count_ngrams
    from greencode_lsp.training.traces.shards import disk_errors

    with progress_bar() as report:
        table = count_ngrams(open_corpus(corpus, fetch_material(model, report)), report)
    path = bundle / NGRAMS_FILE
    with disk_errors(bundle):
        bundle.mkdir(parents=True, exist_ok=True)
        save_ngrams(path, table)
    counts = {length: len(runs.keys) for length, runs in table.runs.items()}
    if as_json:
        print_json({"file": str(path), "runs": counts})
        return
    listed = ", ".join(f"{count:,} of {length}" for length, count in counts.items())
    results.print(f"{path}: runs of tokens, {listed}", markup=False)
