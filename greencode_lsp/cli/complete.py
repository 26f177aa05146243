"""`greencode complete`: one suggestion in the terminal, each token in the colour of its depth."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

from greencode_lsp.cli.console import print_json, progress_bar, results
from greencode_lsp.completion.lines import line_end_at, line_starts, with_plain_line_ends
from greencode_lsp.completion.suggestion import CompletionRequest, LoadOptions, Suggestion
from greencode_lsp.errors import UserError

if TYPE_CHECKING:
    from greencode_lsp.completion.completer import Completer

CONTEXT_LINES = 6

DEPTH_COLOURS = ("#2fbf71", "#8ac926", "#d9c300", "#ff9f1c", "#e8505b")
"""From shallow to full depth."""


def complete(
    file: Annotated[Path, typer.Argument(help="The file to continue.")],
    at: Annotated[
        str | None, typer.Option(metavar="LINE:COL", help="Where, from 1; the file's end by default.")
    ] = None,
    profile: Annotated[str, typer.Option(help="full, exact, balanced, eco or auto.")] = "auto",
    max_tokens: Annotated[int, typer.Option(min=1, max=1024, help="Tokens to generate at most.")] = 48,
    model: Annotated[str, typer.Option(help="A bundle's name, or a folder with a model.")] = "smollm2-135m",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    multiline: Annotated[str, typer.Option(help="auto, always or never.")] = "auto",
    certainty: Annotated[
        float, typer.Option(min=0, max=90, help="End where all of it is right with less than so many percent.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Continue a file at one place and show what each token cost."""
    if multiline not in ("auto", "always", "never"):
        raise UserError(f"unknown --multiline {multiline!r}; there are: auto, always, never")
    text = read_source(file)
    offset = offset_of(text, at)
    request = CompletionRequest(
        str(file),
        with_plain_line_ends(text[:offset]),
        with_plain_line_ends(text[offset:]),
        profile=profile,
        max_tokens=max_tokens,
        multiline=multiline,
        least_certain=certainty / 100,
        path=str(file),
    )
    from greencode_lsp.completion.loading import load_completer

    with progress_bar() as report:
        completer = load_completer(LoadOptions(model, device), report)
    suggestion = completer.complete(request)
    if suggestion is None:
        raise UserError(f"{file} has nothing to continue there: no text before the cursor, or not source code")
    suggestion = suggestion.with_line_ends(line_end_at(text, offset))
    if as_json:
        print_json(as_dict(suggestion))
    else:
        show(suggestion, request, completer)


def read_source(file: Path) -> str:
    """Return a file's text with its own line ends; raise `UserError` when it cannot be read."""
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return stream.read()
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from error


def offset_of(text: str, at: str | None) -> int:
    """Return the offset of LINE:COL, both from 1; a column behind the end of its line is that end."""
    if at is None:
        return len(text)
    match = re.fullmatch(r"(\d+):(\d+)", at)
    starts = line_starts(text)
    if match is None or not 1 <= int(match.group(1)) <= len(starts) or int(match.group(2)) < 1:
        raise UserError(f"--at takes LINE:COL, both from 1 (the file has {len(starts)} lines), not {at!r}")
    line = int(match.group(1))
    end = starts[line] if line < len(starts) else len(text)
    content = text[starts[line - 1] : end].rstrip("\r\n")
    return starts[line - 1] + min(int(match.group(2)) - 1, len(content))


def as_dict(suggestion: Suggestion) -> dict[str, Any]:
    """Return a suggestion as `--json` gives it."""
    return {
        "text": suggestion.text,
        "profile": suggestion.profile,
        "model": suggestion.model,
        "tokens": [{"text": token.text, "exit_layer": token.exit_layer} for token in suggestion.tokens],
        "layers": suggestion.layers,
        "joules": suggestion.charge.joules,
        "joules_full": suggestion.charge.joules_full,
        "source": suggestion.charge.source,
        "timings_ms": asdict(suggestion.timings_ms),
        "reused_tokens": suggestion.reused_tokens,
    }


def show(suggestion: Suggestion, request: CompletionRequest, completer: Completer) -> None:
    """Print the suggestion in its surroundings, the legend, and what it took."""
    before = request.prefix.splitlines(keepends=True)[-CONTEXT_LINES:]
    after = request.suffix[suggestion.replaces :].splitlines(keepends=True)[:2]
    text = Text()
    text.append("".join(before), style="dim")
    for token in suggestion.tokens:
        style = depth_colour(token.exit_layer, suggestion.layers)
        text.append(token.text, style=f"{style} underline" if token.guessed else style)
    if not suggestion.text:
        text.append("(no suggestion here)", style="italic")
    text.append("".join(after).rstrip("\n"), style="dim")
    results.print(text)
    results.print()
    results.print(legend(completer))
    results.print(costs(suggestion, completer))


def depth_colour(exit_layer: int, layers: int) -> str:
    """Return the colour of a depth, from green for shallow to red for all layers."""
    return DEPTH_COLOURS[min(exit_layer * len(DEPTH_COLOURS) // (layers + 1), len(DEPTH_COLOURS) - 1)]


def legend(completer: Completer) -> Text:
    """Explain the colours."""
    text = Text("read after layer ")
    layers = completer.model.layers
    for depth in sorted({*completer.exits, layers}):
        text.append(f" {depth} ", style=f"bold {depth_colour(depth, layers)}")
    text.append(f" of {layers}, ")
    return text.append("guessed", style="underline").append(" and confirmed there")


def costs(suggestion: Suggestion, completer: Completer) -> str:
    """Say in one line what the suggestion took."""
    timings, charge = suggestion.timings_ms, suggestion.charge
    speed = suggestion.generated_tokens / max(timings.total / 1000, 1e-9)
    parts = [
        f"{suggestion.model}, profile {suggestion.profile}",
        f"{suggestion.generated_tokens} tokens, {suggestion.guessed_tokens} of them guessed",
        f"[bold]{speed:.1f} tokens/s[/]",
        f"first after {timings.first_token:.0f} ms",
    ]
    if charge.joules is None or charge.joules_full is None:
        parts.append("energy unknown")
    else:
        saved = 1 - charge.joules / charge.joules_full if charge.joules_full else 0.0
        parts.append(f"[bold]{charge.joules:.2f} J[/], at full depth {charge.joules_full:.2f} J (saves {saved:z.0%})")
    return " · ".join(parts) + f"\n[dim]energy from: {escape(completer.attribution.detail)}[/]"
