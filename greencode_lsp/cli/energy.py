"""`greencode energy`: what completions on this machine have taken and saved, by day."""

import json
import sqlite3
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from greencode_lsp.cli.console import print_json, results
from greencode_lsp.energy import Ledger, NullLedger, grid_factor, open_ledger
from greencode_lsp.errors import UserError


def energy(
    as_csv: Annotated[bool, typer.Option("--csv", help="Print every completion as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the totals by day as JSON.")] = False,
    grid: Annotated[
        str, typer.Option(help="Whose grid: a name such as world, FRA, USA, or grams CO2e per kWh.")
    ] = "world",
    prune: Annotated[
        int | None, typer.Option(min=1, metavar="DAYS", help="First forget what is older than so many days.")
    ] = None,
) -> None:
    """Show the local energy ledger. It holds no code and no file names, and is never sent anywhere."""
    try:
        factor = grid_factor(float(grid) if grid.replace(".", "", 1).isdigit() else grid)
    except ValueError as error:
        raise UserError(str(error)) from error
    ledger = open_ledger()
    if isinstance(ledger, NullLedger):
        raise UserError(f"the ledger cannot be read: {ledger.reason}")
    if prune is not None:
        forget_older(ledger, prune)
    if as_csv:
        ledger.export_csv(sys.stdout)
        return
    days = ledger.by_day(factor)
    if ledger.reason:
        raise UserError(f"the ledger cannot be read: {ledger.reason}")
    if as_json:
        print_json(json.loads(json.dumps([asdict(day) for day in days], default=str)))
        return
    if not days:
        results.print("No completions yet.")
        return
    table = Table("day", "completions", "shown", "accepted", "tokens", "Wh", "saved Wh", "g CO2e", "source")
    for column in table.columns[1:-1]:
        column.justify = "right"
    for day in days:
        figures = (day.watt_hours, day.saved_watt_hours, day.grams_co2e)
        counts = (day.completions, day.shown, day.accepted, day.tokens)
        table.add_row(str(day.day), *map(str, counts), *map(figure, figures), ", ".join(day.sources))
    results.print(table)
    results.print(f"CO2e at {factor.grams_per_kwh:g} g/kWh ({factor.name}).")


def forget_older(ledger: Ledger, days: int) -> None:
    """Forget the completions that are older than so many days."""
    before = datetime.now(UTC) - timedelta(days=days)
    try:
        while ledger.prune(before):
            pass
    except sqlite3.Error as error:
        raise UserError(f"the ledger {ledger.path} cannot be pruned now: {error}") from error


def figure(value: float | None) -> str:
    """Write a quantity; unknown is a question mark, never 0."""
    return "?" if value is None else f"{value:.3f}"
