"""`greencode doctor`: what works here, and what to do about what does not."""

from typing import Annotated

import typer

from greencode_lsp.cli.console import print_json, progress_bar, results


def doctor(
    model: Annotated[str, typer.Option(help="The model to check.")] = "smollm2-135m",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check Python, torch, counters, model, ledger and a real completion."""
    from greencode_lsp.completion.suggestion import LoadOptions
    from greencode_lsp.doctor import examine, report

    with progress_bar() as progress:
        progress("examining", 0, 1)
        checks = examine(LoadOptions(model, device))
    if as_json:
        print_json(report(checks))
    else:
        for check in checks:
            mark, style = ("ok", "green") if check.ok else ("no", "bold red" if check.essential else "yellow")
            results.print(f"[{style}]{mark:>3}[/]  [bold]{check.name}[/]: ", end="")
            results.print(check.detail, markup=False)
            if check.fix:
                results.print(f"     fix: {check.fix}", markup=False)
    if any(check.essential and not check.ok for check in checks):
        raise typer.Exit(1)
