"""`greencode models`: which bundles there are, and fetching and checking them."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from greencode_lsp.cli.console import errors, print_json, progress_bar, results
from greencode_lsp.errors import UserError
from greencode_lsp.models import Bundle, cached_folder, find_bundle, is_cached, list_bundles
from greencode_lsp.models import pull as pull_bundle
from greencode_lsp.models import verify as verify_bundle
from greencode_lsp.paths import made_folder

app = typer.Typer(help="List, fetch and check models.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A bundle's name, or a folder with a model.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the bundles that this installation knows."""
    bundles = list_bundles()
    if as_json:
        print_json([row(bundle) for bundle in bundles])
        return
    table = Table("name", "family", "layers", "exits", "licence", "here", "description")
    for bundle in bundles:
        exits = " ".join(map(str, bundle.exits)) or "none"
        here = "yes" if is_cached(bundle) else "no"
        table.add_row(bundle.name, bundle.family, str(bundle.layers), exits, bundle.licence, here, bundle.description)
    results.print(table)


@app.command()
def pull(name: Name) -> None:
    """Fetch a bundle, check it against its hashes, and convert it."""
    bundle = find_bundle(name)
    with progress_bar() as report:
        folder = pull_bundle(bundle, lambda progress: report(progress.stage, progress.done, progress.total))
    results.print(f"{bundle.name} is ready in {folder}", markup=False)


@app.command()
def verify(name: Name, as_json: Json = False) -> None:
    """Check every file of a fetched bundle against its hash, and the packed weights that were made of models."""
    bundle = find_bundle(name)
    problems = verify_bundle(bundle)
    from greencode_lsp.engine.packed import verify_packed  # here, for it imports torch

    for path in verify_packed(made_folder("packed"))[1]:
        errors.print(f"{path} was damaged and is moved aside: it is made anew at the next start", markup=False)
    if as_json:
        print_json({"name": bundle.name, "ok": not problems, "problems": problems})
    elif not problems:
        results.print(f"{bundle.name} is complete and unchanged")
    if problems:
        for problem in problems:
            errors.print(problem, markup=False)
        raise UserError(
            f"{bundle.name} is damaged; remove {cached_folder(bundle)} and run: greencode models pull {name}"
        )


def row(bundle: Bundle) -> dict[str, Any]:
    """Return a bundle as `--json` gives it."""
    return {
        "name": bundle.name,
        "description": bundle.description,
        "family": bundle.family,
        "licence": bundle.licence,
        "layers": bundle.layers,
        "exits": list(bundle.exits),
        "source": {"kind": type(bundle.source).__name__.removesuffix("Source").lower(), **jsonable(bundle.source)},
        "cached": is_cached(bundle),
        "folder": str(cached_folder(bundle)),
    }


def jsonable(source: Any) -> dict[str, Any]:
    """Return a source's fields with paths as text."""
    return {key: value if isinstance(value, (int, dict)) else str(value) for key, value in asdict(source).items()}
