"""`greencode eval editing`: whether suggestions break the files they are taken into."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from greencode_lsp.cli.console import print_json, progress_bar, results, warn
from greencode_lsp.errors import UserError

if TYPE_CHECKING:
    from greencode_lsp.evaluation.editing.places import EditPlace, PlaceOptions
    from greencode_lsp.evaluation.editing.summary import Judged, Row, Share

COLUMNS = {
    "unbalanced": "unbalanced",
    "syntax": "syntax",
    "repeated": "repeated",
    "indentation": "tabs/spaces",
    "doubled": "doubled",
    "line_ends": "line ends",
    "fence": "fence/prose",
    "empty": "empty",
}


def editing(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="Where to cut places; without it, pinned projects are fetched once."),
    ] = None,
    places: Annotated[int, typer.Option(min=1, help="Places, spread evenly over languages.")] = 500,
    kind: Annotated[str, typer.Option(help="automatic, explicit or both.")] = "both",
    language: Annotated[list[str] | None, typer.Option(help="A language; may be repeated. All by default.")] = None,
    line_ends: Annotated[str, typer.Option(help="keep, lf or crlf.")] = "keep",
    indentation: Annotated[str, typer.Option(help="keep, tabs or spaces.")] = "keep",
    seed: Annotated[int, typer.Option(help="Chooses files and places.")] = 0,
    model: Annotated[str, typer.Option(help="A bundle's name, or a folder with a model.")] = "smollm2-135m",
    profile: Annotated[str, typer.Option(help="full, exact, balanced, eco or auto.")] = "auto",
    max_tokens: Annotated[int, typer.Option(min=1, max=256, help="The longest suggestion, in tokens.")] = 48,
    examples: Annotated[int, typer.Option(min=0, help="How many of the worst suggestions to show.")] = 3,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write the JSON as well.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask for suggestions at places in real files, take them as an editor does, and count what they break."""
    from greencode_lsp.evaluation.benchmark.machine import describe_machine
    from greencode_lsp.evaluation.editing.asking import TRIGGERS, AskOptions, ask_places
    from greencode_lsp.evaluation.editing.languages import LANGUAGES
    from greencode_lsp.evaluation.editing.places import PlaceOptions, digest
    from greencode_lsp.evaluation.editing.summary import judge_all

    kinds = tuple(TRIGGERS) if one_of("--kind", kind, (*TRIGGERS, "both")) == "both" else (kind,)
    options = PlaceOptions(
        places,
        seed,
        one_of("--line-ends", line_ends, ("keep", "lf", "crlf")),
        one_of("--indentation", indentation, ("keep", "tabs", "spaces")),
        tuple(one_of("--language", each, LANGUAGES) for each in language) if language else LANGUAGES,
    )
    with progress_bar() as report:
        cut = cut_from(folder, options, report)
        judged = judge_all(ask_places(cut, AskOptions(kinds, model, profile, max_tokens), report), report)
    settings = {**asdict(options), "folder": str(folder) if folder else None, "kinds": kinds, "model": model}
    document = {
        "settings": settings | {"profile": profile, "max_tokens": max_tokens, "places_sha256": digest(cut)},
        "machine": asdict(describe_machine("cpu")),
        **tables(judged, kinds, examples),
    }
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    if as_json:
        print_json(document)
    else:
        show(judged, kinds, examples)


def cut_from(folder: Path | None, options: PlaceOptions, report: Any) -> list[EditPlace]:
    """Cut places from a folder or from the pinned projects; warn of what is missing."""
    from greencode_lsp.evaluation.editing.places import cut_places
    from greencode_lsp.evaluation.editing.sources import files_of_folder, files_of_projects

    warned: list[str] = []
    files = files_of_projects(report, options.languages, warned) if folder is None else files_of_folder(folder)
    for line in warned:
        warn(f"left out: {line}")
    cut = cut_places(files, options, report)
    missing = [name for name in options.languages if not any(place.language == name for place in cut)]
    if missing and folder is None:
        warn(f"no places in {', '.join(missing)}")
    if len(cut) < options.count:
        warn(f"{len(cut)} places could be cut, not {options.count}")
    return cut


def one_of(option: str, value: str, choices: Sequence[str]) -> str:
    """Return a value that is one of some choices; raise `UserError` for another one."""
    if value not in choices:
        raise UserError(f"{option}: there are {', '.join(choices)}, not {value!r}")
    return value


def tables(judged: Sequence[Judged], kinds: Sequence[str], examples: int) -> dict[str, Any]:
    """Return all that was counted, for programs."""
    from greencode_lsp.evaluation.editing.summary import example_as_json, rows_by, worst

    by_kind = {kind: [each for each in judged if each.answer.kind == kind] for kind in kinds}
    return {
        "languages": {k: [r.as_json() for r in rows_by(v, lambda a: a.place.language)] for k, v in by_kind.items()},
        "places": {k: [r.as_json() for r in rows_by(v, lambda a: a.place.kind)] for k, v in by_kind.items()},
        "worst": [example_as_json(each) for each in worst(judged, examples)],
        "damaged": [example_as_json(each) for each in judged if each.damage.kinds],
        "suggestions": [
            {
                "place": f"{each.answer.place.project}/{each.answer.place.path}@{each.answer.place.cursor}",
                "kind": each.answer.kind,
                "text": each.answer.text,
                "start": each.answer.start,
                "end": each.answer.end,
                "damage": each.damage.kinds,
            }
            for each in judged
        ],
    }


def show(judged: Sequence[Judged], kinds: Sequence[str], examples: int) -> None:
    """Print a table by language and one by kind of place for each way of asking, and the worst suggestions."""
    from greencode_lsp.evaluation.editing.summary import example_as_json, rows_by, worst

    for kind in kinds:
        asked = [each for each in judged if each.answer.kind == kind]
        for title, rows in (
            ("language", rows_by(asked, lambda answer: answer.place.language)),
            ("kind of place", rows_by(asked, lambda answer: answer.place.kind)),
        ):
            results.print(table_of(f"{kind}, by {title}", rows))
    results.print("damaged, and each kind of damage: of the suggestions shown; intervals of the last row, after Wilson")
    for each in worst(judged, examples):
        example = example_as_json(each)
        results.print(f"\n{example['kind']}, {example['language']}, {example['place']} ({example['variant']})")
        results.print(f"  {example['project']}/{example['path']}", markup=False)
        for detail in example["details"]:
            results.print(f"  {detail}", style="red", markup=False)
        for name in ("before", "after"):
            results.print(f"  {name}:", style="bold")
            for line in example[name].splitlines():
                results.print(f"  | {line}", markup=False)


def table_of(title: str, rows: Sequence[Row]) -> Table:
    """Return a table of some rows."""
    table = Table("", "places", "shown", "damaged", *COLUMNS.values(), title=title, title_justify="left", box=None)
    for index, column in enumerate(table.columns):
        column.justify, column.no_wrap = "right" if index else "left", True
    for row in rows:
        counts = (percent(row.damages[name]) if row.damages[name].count else "." for name in COLUMNS)
        style = "bold" if row.name == "all" else None
        table.add_row(row.name, str(row.shown.total), percent(row.shown), percent(row.damaged), *counts, style=style)
    whole = rows[-1]
    shares = (whole.shown, whole.damaged, *(whole.damages[name] for name in COLUMNS))
    table.add_row("95 % interval", "", *map(interval, shares))
    return table


def percent(share: Share) -> str:
    """Write a count and its share."""
    return f"{share.count} {100 * share.count / share.total:.1f}%" if share.total else "-"


def interval(share: Share) -> str:
    """Write the ends of a share's interval in percent."""
    ends = share.interval
    return "" if ends is None else f"{100 * ends[0]:.1f}-{100 * ends[1]:.1f}%"
