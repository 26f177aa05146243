"""`greencode train exits`, `curves`, `traces`, `formats`: train what reads a model early, measure it, record it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from greencode_lsp.cli.console import print_json, progress_bar, results
from greencode_lsp.errors import UserError, installing

Corpus = Annotated[Path, typer.Argument(metavar="CORPUS", help="A corpus folder, from: greencode train corpus.")]
Model = Annotated[str, typer.Option(help="A bundle's name, or a folder with a model.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Exits = Annotated[str | None, typer.Option(help="Depths in layers done, as 6,12,18; by default the trained ones.")]
ExitsFile = Annotated[Path | None, typer.Option(help="Trained exits; the bundle's own by default, where it has any.")]
Context = Annotated[int, typer.Option(min=2, help="Tokens of a text that are read at once.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

COLUMNS = ("depth", "agreement before", "after", "accuracy before", "after", "perplexity before", "after", "sure")


def exits(
    corpus: Corpus,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where the results go; a stopped run goes on there.")],
    recipe: Annotated[str | None, typer.Option(help="A recipe's name or file; the model's by default.")] = None,
    model: Model = "smollm2-135m",
    frozen: Annotated[bool, typer.Option("--freeze-backbone", help="Train heads only, full depth stays.")] = False,
    low_rank: Annotated[bool, typer.Option("--low-rank", help="Train adapters of the layers, and heads.")] = False,
    start: Annotated[
        Path | None, typer.Option("--from", help="Trained exits to go on from, with changes of layers beside them.")
    ] = None,
    at: Annotated[str | None, typer.Option("--exits", help="Depths in layers done, as 6,12,18.")] = None,
    tokens: Annotated[int | None, typer.Option(min=2, help="Tokens of the corpus to learn from.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="How often to learn from each.")] = None,
    width: Annotated[int | None, typer.Option(min=0, help="Width of the translators; 0: none, a norm only.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0)] = None,
    batch_tokens: Annotated[int | None, typer.Option(min=2, help="Tokens of one step.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides order and first weights.")] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Train exits on a corpus; killed, it goes on from its last checkpoint when run again."""
    require_training_libraries()
    from greencode_lsp.training.exits.job import Job
    from greencode_lsp.training.exits.recipe import changed, load_recipe
    from greencode_lsp.training.exits.training import train_exits
    from greencode_lsp.training.material import fetch_material

    if frozen and low_rank:
        raise UserError("--freeze-backbone and --low-rank exclude each other: adapters change the backbone")
    asked = changed(
        load_recipe(recipe or Path(model).name),
        mode="frozen" if frozen else "low-rank" if low_rank else None,
        exits=None if at is None else list(depths(at)),
        tokens=tokens,
        epochs=epochs,
        width=width,
        learning_rate=learning_rate,
        batch_tokens=batch_tokens,
        seed=seed,
    )
    with progress_bar() as report:
        job = Job(fetch_material(model, report), corpus, out, asked, chosen_device(device), start)
        result = train_exits(job, report)
    if as_json:
        print_json(result)
        return
    table = Table("exit", "agreement before", "after")
    for depth in asked.exits:
        name = f"agreement_{depth}"
        table.add_row(str(depth), share(result["before"][name]), share(result["after"][name]))
    results.print(table)
    results.print(
        f"{result['steps']} steps, the best after {result['best_step']}: {result['exits_file']}", markup=False
    )


def shortlist(
    corpus: Corpus,
    exits_file: Annotated[Path, typer.Argument(metavar="EXITS", help="Trained exits; the file is replaced.")],
    size: Annotated[int, typer.Option(min=1, help="Tokens that exits choose among.")] = 8192,
    model: Model = "smollm2-135m",
    as_json: Json = False,
) -> None:
    """Have exits choose among the most frequent tokens only, and add an exit at full depth that does the same."""
    from greencode_lsp.engine import load_backbone
    from greencode_lsp.engine.exits import load_exits
    from greencode_lsp.training.exits.results import write_heads
    from greencode_lsp.training.exits.shortlist import frequent_tokens, share_covered, with_shortlist
    from greencode_lsp.training.material import fetch_material, open_corpus
    from greencode_lsp.training.traces.shards import disk_errors

    with progress_bar() as report:
        material = fetch_material(model, report)
        backbone, texts = load_backbone(material.folder), open_corpus(corpus, material)
    shape = backbone.shape
    heads = load_exits(exits_file, shape, material.identity)
    ids = frequent_tokens(texts, shape.vocabulary_size, size)
    heads = with_shortlist(heads, ids, backbone.weights.final_norm, shape.layers)
    with disk_errors(exits_file.parent):
        write_heads(exits_file, heads, shape, material.identity)
    covered = share_covered(texts, "heldout", ids)
    if as_json:
        print_json({"exits_file": str(exits_file), "tokens": size, "exits": list(heads), "heldout_covered": covered})
        return
    results.print(
        f"{exits_file}: exits {' '.join(map(str, heads))} choose among {size:,} tokens, which are {covered:.1%} of "
        "what comes in held-out projects",
        markup=False,
    )


def curves(
    corpus: Corpus,
    model: Model = "smollm2-135m",
    at: Exits = None,
    exits_file: ExitsFile = None,
    split: Annotated[str, typer.Option(help="train, calibration or heldout.")] = "heldout",
    max_tokens: Annotated[int, typer.Option(min=2)] = 50_000,
    context: Context = 1024,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure what every exit is worth on held-out projects, before and after training of heads and layers."""
    from greencode_lsp.training.exits.curves import measure_curves
    from greencode_lsp.training.traces.texts import Choice

    with progress_bar() as report:
        opened = open_runner(model, exits_file, at, device, report)
        windows = opened.windows(corpus, split, Choice(max_tokens, context))
        before = measure_curves(opened.original(), opened.exits, {}, windows, opened.material.lead, report)
        after = measure_curves(opened.runner, opened.exits, opened.heads, windows, opened.material.lead, report)
    rows = [{"before": asdict(one), "after": asdict(other)} for one, other in zip(before, after, strict=True)]
    if as_json:
        tokens = sum(len(window.ids) for window in windows)
        print_json({"model": model, "split": split, "tokens": tokens, "context": context, "rows": rows})
        return
    table = Table(
        "depth", "agreement before", "after", "accuracy before", "after", "perplexity before", "after", "sure"
    )
    for one, other in zip(before, after, strict=True):
        table.add_row(
            str(one.depth),
            share(one.agreement),
            share(other.agreement),
            share(one.accuracy),
            share(other.accuracy),
            f"{one.perplexity:.2f}",
            f"{other.perplexity:.2f}",
            share(other.sure_share),
        )
    results.print(table)
    results.print("agreement: with full depth; accuracy: with what came; sure: share of tokens at 99 % agreement.")


def traces(
    corpus: Corpus,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The traces' folder; a stopped recording goes on there.")],
    model: Model = "smollm2-135m",
    at: Exits = None,
    exits_file: ExitsFile = None,
    split: Annotated[str, typer.Option(help="train, calibration or heldout.")] = "calibration",
    max_tokens: Annotated[int, typer.Option(min=2)] = 150_000,
    windows_per_file: Annotated[int, typer.Option(min=1, help="Stretches of the context's length of each file.")] = 2,
    context: Context = 1024,
    seed: Annotated[int, typer.Option(help="Decides which files are read.")] = 0,
    written_by: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Record what a calibrated policy in this folder writes after each text."),
    ] = None,
    profile: Annotated[str, typer.Option(help="With --written-by: balanced or eco.")] = "eco",
    new_tokens: Annotated[int, typer.Option(min=1, help="With --written-by: tokens to write after each text.")] = 64,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Record what every exit knows at every token of real code, in one pass; or of code that a policy wrote."""
    from greencode_lsp.policy.bundle import POLICY_FILE, file_sha256
    from greencode_lsp.training.traces.record import record_traces
    from greencode_lsp.training.traces.storage import TraceFacts, agreement
    from greencode_lsp.training.traces.texts import Choice

    with progress_bar() as report:
        opened = open_runner(model, exits_file, at, device, report)
        windows = opened.windows(corpus, split, Choice(max_tokens, context, windows_per_file, seed))
        if written_by is not None:
            windows = opened.written(windows, policy_of(written_by, profile, opened), new_tokens, report)
        facts = TraceFacts(
            model=opened.material.bundle.name,
            layers=opened.runner.shape.layers,
            exits=opened.exits,
            hidden_size=opened.runner.shape.hidden_size,
            packages=opened.packages(corpus),
            split=split if written_by is None else f"{split}, written by {profile}",
            context=context,
            weights_sha256=opened.material.identity,
            exits_sha256=opened.exits_sha256,
            corpus_sha256=opened.corpus_identity(corpus),
            windows_per_file=windows_per_file,
            seed=seed,
            written_by="" if written_by is None else f"{file_sha256(written_by / POLICY_FILE)}, {new_tokens} tokens",
        )
        recorded = record_traces(opened.runner, opened.heads, windows, opened.material.lead, out, facts, report)
    shares = dict(zip(recorded.exits, agreement(recorded.predicted[:]), strict=True))
    if as_json:
        print_json({"folder": str(out), "rows": len(recorded), "split": facts.split, "agreement": shares})
        return
    table = Table("exit", "agreement")
    for depth, value in shares.items():
        table.add_row(str(depth), share(value))
    results.print(table)
    results.print(f"{len(recorded):,} tokens of {facts.split} are in {out}", markup=False)


def formats(
    corpus: Corpus,
    model: Model = "smollm2-135m",
    split: Annotated[str, typer.Option(help="train, calibration or heldout.")] = "heldout",
    max_tokens: Annotated[int, typer.Option(min=2)] = 50_000,
    context: Context = 1024,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure what the number format that the model runs in costs, beside plain bfloat16 weights."""
    from greencode_lsp.training.material import fetch_material, open_corpus, split_windows
    from greencode_lsp.training.number_formats import compare_formats, load_both
    from greencode_lsp.training.traces.texts import Choice

    where = chosen_device(device)
    with progress_bar() as report:
        material = fetch_material(model, report)
        runner, plain = load_both(material, where)
        windows = split_windows(open_corpus(corpus, material), split, Choice(max_tokens, context))
        found = compare_formats(runner, plain, windows, material.lead, report)
    runs_in = runner.description
    if as_json:
        print_json({"model": model, "split": split, "context": context, "runner": runs_in, **asdict(found)})
        return
    results.print(
        f"{model}, {runs_in}: the right next token {found.right:.2%}, by plain bfloat16 weights "
        f"{found.right_plain:.2%} ({found.points_lost:+.2f} points lost), the same {found.agreement:.2%}; "
        f"{found.tokens} tokens of {split}",
        markup=False,
    )


def open_runner(model: str, exits_file: Path | None, at: str | None, device: str, report: Any) -> Any:
    """Load a model with its exits' heads."""
    from greencode_lsp.training.opened import open_model

    return open_model(model, exits_file, None if at is None else depths(at), chosen_device(device), report)


def policy_of(folder: Path, profile: str, opened: Any) -> Any:
    """Return what makes the policy of a profile in a folder; raise `UserError` where it never leaves early."""
    from greencode_lsp.completion.profiles import resolve_profile
    from greencode_lsp.policy import NeverExit, load_bundle_policy

    bundle = load_bundle_policy(folder, opened.exits, opened.runner.shape.hidden_size, opened.exits_sha256)
    make_policy = resolve_profile(profile, bundle).make_policy
    if make_policy is NeverExit:
        raise UserError(f"{folder} has no proven threshold for {profile}: it would write what full depth does")
    return make_policy


def chosen_device(name: str) -> str:
    """Return the device to work on."""
    from greencode_lsp.completion.loading import choose_device

    return choose_device(name)


def depths(text: str) -> tuple[int, ...]:
    """Read depths as people write them; raise `UserError` when they are none."""
    try:
        return tuple(int(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise UserError(f"--exits {text!r}: give depths in layers done, as 6,12,18") from error


def require_training_libraries() -> None:
    """Raise `UserError` that says how to install what only training needs."""
    try:
        import accelerate  # noqa: F401
    except ImportError as error:
        raise UserError(f"training needs more libraries; {installing('train')}") from error


def share(value: float) -> str:
    """Write a share as people read it."""
    return f"{value:.1%}"
