"""The command line: puts the commands together and turns errors into one line and an exit status."""

import errno
import sys
from typing import Annotated

import typer

from greencode_lsp import __version__
from greencode_lsp.cli import bench, calibrate, complete, doctor, energy, evaluate, models, report, train
from greencode_lsp.cli.console import errors
from greencode_lsp.errors import UserError

app = typer.Typer(
    help="Local code completion that knows what every token costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(complete.complete)
app.command()(doctor.doctor)
app.command()(energy.energy)
app.command()(calibrate.calibrate)
app.command()(report.report)
app.add_typer(models.app, name="models")
app.add_typer(bench.app, name="bench")
app.add_typer(evaluate.app, name="eval")
app.add_typer(train.app, name="train")


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        print(__version__)
        raise typer.Exit


DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""What a disk refuses for no fault of the program."""


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run a command. Exit status: 0 done, 1 failed with one line why, 2 wrong usage."""
    try:
        app()
    except UserError as error:
        errors.print(f"greencode: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in DISK:
            raise
        place = f"{error.filename}: " if error.filename else ""
        line = f"greencode: {place}{error.strerror}; what was written before is intact"
        errors.print(line, style="bold red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
