"""`greencode bench`: speed and energy beside peers, under typing, segment by segment, and of shapes without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from greencode_lsp.cli.console import print_json, progress_bar, results
from greencode_lsp.completion.suggestion import LoadOptions
from greencode_lsp.errors import UserError

if TYPE_CHECKING:
    from greencode_lsp.evaluation.benchmark.machine import Machine

app = typer.Typer(help="Measure speed and energy on this machine.", no_args_is_help=True)

Model = Annotated[str, typer.Option(help="A bundle's name, or a folder with a model.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def decode(
    peer: Annotated[
        list[str] | None, typer.Option(help="hf, layerskip or llama.cpp, to compare with; may be repeated.")
    ] = None,
    profile: Annotated[list[str] | None, typer.Option(help="A profile; may be repeated. full by default.")] = None,
    model: Model = "smollm2-135m",
    device: Device = "auto",
    tokens: Annotated[int, typer.Option(min=2, max=1024, help="Tokens to decode in each run.")] = 64,
    prompt_tokens: Annotated[int, typer.Option(min=1, max=4096, help="Tokens of the prompt.")] = 512,
    rounds: Annotated[
        int, typer.Option(min=1, max=1000, help="Runs of each engine, in turns, each at another place.")
    ] = 5,
    as_json: Json = False,
) -> None:
    """Decode the same tokens with our profiles and with peers, in turns, and show medians."""
    from greencode_lsp.completion.loading import choose_device, load_completer
    from greencode_lsp.completion.profiles import resolve_profile
    from greencode_lsp.energy import choose_meter, probe_meters
    from greencode_lsp.evaluation.benchmark.decoding import Engine, compare
    from greencode_lsp.evaluation.benchmark.gauge import Gauge
    from greencode_lsp.evaluation.benchmark.machine import describe_machine
    from greencode_lsp.evaluation.benchmark.own_engine import OwnEngine, ignore_end_of_text
    from greencode_lsp.evaluation.benchmark.peers import make_peer
    from greencode_lsp.evaluation.benchmark.source_files import prompt_ids
    from greencode_lsp.models import find_bundle, load_folder

    peers = list(dict.fromkeys(peer or []))
    with progress_bar() as report:
        completer = load_completer(LoadOptions(model, device), report)
        ignore_end_of_text(completer.model)
        prompts = prompt_ids(completer.tokenizer, prompt_tokens, rounds)
        where = choose_device(device)
        meter = choose_meter(probe_meters(where))
        gauge = Gauge(meter)
        profiles = [resolve_profile(name, completer.policy) for name in dict.fromkeys(profile or ["full"])]
        engines: list[Engine] = [OwnEngine(completer.model, each, gauge) for each in profiles]
        folder = load_folder(find_bundle(model))
        for done, name in enumerate(peers):
            report("loading peers", done, len(peers))
            engines.append(make_peer(name, folder, where, completer.model.early_exits, gauge, prompts[0], tokens))
        rows = compare(engines, prompts, tokens, rounds, report)
    machine = describe_machine(where)
    if as_json:
        settings = {"model": model, "prompt_tokens": prompt_tokens, "tokens": tokens, "rounds": rounds}
        print_json({"rows": [asdict(row) for row in rows], **settings, "machine": asdict(machine)})
        return
    columns = ["engine", "tokens/s", "ms/token", "prefill/s", "J/token", "ms in all", "J in all", "same"]
    ratios = list(rows[0].ratios)
    table = make_table([*columns, *(f"x {name}" for name in ratios)], left=("engine",))
    for row in rows:
        table.add_row(
            f"{row.engine} {row.profile or row.detail}",
            f"{row.tokens_per_s:.1f}",
            f"{row.ms_per_token:.2f}",
            f"{row.prefill_tokens_per_s:.0f}",
            number(row.joules_per_token, "{:.3f}"),
            f"{row.total_ms:.0f}",
            number(row.joules, "{:.2f}"),
            f"{row.same_tokens}/{tokens}",
            *(f"{row.ratios[name]:.2f}" for name in ratios),
        )
    results.print(table)
    results.print(f"{model}: {tokens} tokens after {prompt_tokens} of a prompt, medians of {rounds} runs in turns.")
    results.print(f"same: how many tokens are those of the first row; joules from: {meter.detail}", markup=False)
    results.print(note(machine), markup=False)


DEBOUNCES = ("0", "120", "auto")
"""Milliseconds that `keystrokes` compares, and what the server takes unless told."""

LONGEST_DEBOUNCE_MS = 5000


@app.command()
def keystrokes(
    files: Annotated[int, typer.Option(min=1, max=3, help="How many of the files that ship to type in.")] = 3,
    speed: Annotated[float, typer.Option(min=0.1, max=100, help="How much faster than a person to type.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Chooses passages, pauses and slips.")] = 0,
    model: Model = "smollm2-135m",
    profile: Annotated[str, typer.Option(help="full, exact, balanced, eco or auto.")] = "auto",
    max_tokens: Annotated[int, typer.Option(min=1, max=256, help="The longest suggestion, in tokens.")] = 48,
    certainty: Annotated[float, typer.Option(min=0, max=90, help="The setting, in percent; 0 for whole lines.")] = 10.0,
    debounce: Annotated[
        list[str] | None, typer.Option(help="Milliseconds, or auto; may be repeated. 0, 120 and auto by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Type in real files against a running server, with no, a fixed and the adaptive debounce."""
    from greencode_lsp.completion.loading import choose_device
    from greencode_lsp.evaluation.benchmark.machine import describe_machine
    from greencode_lsp.evaluation.benchmark.replay import ReplayOptions, replay
    from greencode_lsp.evaluation.benchmark.source_files import source_files

    options = ReplayOptions(model, profile, speed, seed, max_tokens, certainty)
    chosen, debounces = source_files()[:files], [debounce_of(each) for each in debounce or DEBOUNCES]
    with progress_bar() as report:
        rows = [replay(chosen, options, each, report) for each in debounces]
    machine = describe_machine(choose_device("auto"))
    if as_json:
        names = [file.name for file in chosen]
        settings = {
            "model": model,
            "profile": profile,
            "files": names,
            "speed": speed,
            "seed": seed,
            "max_tokens": max_tokens,
            "certainty": certainty,
        }
        print_json({"rows": [asdict(row) for row in rows], **settings, "machine": asdict(machine)})
        return
    table = make_table(["", *(f"debounce {row.debounce_ms}" for row in rows)], left=("",))
    for label, field, form in (
        ("latency p50, ms", "latency_p50_ms", "{:.0f}"),
        ("latency p95, ms", "latency_p95_ms", "{:.0f}"),
        ("without the cache p50, ms", "computed_p50_ms", "{:.0f}"),
        ("without the cache p95, ms", "computed_p95_ms", "{:.0f}"),
        ("requests", "requests", "{}"),
        ("answered", "answered", "{}"),
        ("superseded", "superseded", "{}"),
        ("shown", "shown", "{}"),
        ("accepted", "accepted", "{}"),
        ("characters accepted", "characters_accepted", "{}"),
        ("from the cache", "cached", "{}"),
        ("prompt tokens computed", "tokens_computed", "{}"),
        ("prompt tokens reused", "tokens_reused", "{}"),
        ("share reused", "reuse_share", "{:.1%}"),
        ("J per request", "joules_per_request", "{:.2f}"),
        ("J per shown suggestion", "joules_per_shown", "{:.2f}"),
        ("joules from", "source", "{}"),
    ):
        table.add_row(label, *(number(getattr(row, field), form) for row in rows))
    results.print(table)
    typed_in = ", ".join(file.name for file in chosen)
    how = f"{model}, profile {profile}, {max_tokens} tokens, certainty {certainty:g} %"
    results.print(f"{how}: typed in {typed_in}, speed x {speed:g}.")
    results.print(note(machine), markup=False)


@app.command()
def segments(model: Model = "smollm2-135m", device: Device = "auto", as_json: Json = False) -> None:
    """Show what every segment and the head take at 1 to 256 rows, beside the machine's memory bandwidth."""
    from greencode_lsp.completion.loading import choose_device, load_completer
    from greencode_lsp.energy import choose_meter, probe_meters
    from greencode_lsp.evaluation.benchmark.machine import describe_machine
    from greencode_lsp.evaluation.benchmark.segments import measure_segments

    where = choose_device(device)
    with progress_bar() as report:
        completer = load_completer(LoadOptions(model, device), report)
        meter = choose_meter(probe_meters(where))
        bandwidth, rows = measure_segments(completer.model, meter, report=report)
    machine = describe_machine(where)
    if as_json:
        found = {"rows": [asdict(row) for row in rows], "bandwidth": asdict(bandwidth)}
        print_json({**found, "model": model, "machine": asdict(machine)})
        return
    table = make_table(
        ["segment", "layers", "rows", "ms", "J", "GB/s", "of read bandwidth"], left=("segment", "layers")
    )
    for row in rows:
        table.add_row(
            str(row.segment),
            row.layers,
            str(row.rows),
            f"{row.ms:.2f}",
            number(row.joules, "{:.4f}"),
            f"{row.gb_per_s:.1f}",
            f"{row.bandwidth_share:.0%}",
        )
    results.print(table)
    results.print(f"Memory: copy {bandwidth.copy_gb_per_s:.1f} GB/s, read {bandwidth.read_gb_per_s:.1f} GB/s.")
    results.print(f"{model}; GB/s: weights streamed once; joules from: {meter.detail}", markup=False)
    results.print(note(machine), markup=False)


@app.command()
def shapes(
    shape: Annotated[str, typer.Option(help="llama-3.2-3b, opt-2.7b, or tiny to try it out.")] = "llama-3.2-3b",
    device: Device = "auto",
    tokens: Annotated[int, typer.Option(min=2, max=1024, help="Tokens to decode in each run.")] = 128,
    prompt_tokens: Annotated[int, typer.Option(min=1, max=1024, help="Tokens of the prompt.")] = 512,
    as_json: Json = False,
) -> None:
    """Decode at every exit's depth of a shape with random weights, on the GPU runner, beside transformers."""
    from greencode_lsp.completion.loading import choose_device
    from greencode_lsp.energy import choose_meter, probe_meters
    from greencode_lsp.evaluation.benchmark.depths import measure_depths
    from greencode_lsp.evaluation.benchmark.machine import describe_machine
    from greencode_lsp.evaluation.benchmark.random_models import find_shape

    found, where = find_shape(shape), choose_device(device)
    dtype = "float32" if where == "cpu" else "bfloat16"
    meter = choose_meter(probe_meters(where))
    with progress_bar() as report:
        bandwidth, rows = measure_depths(found, where, dtype, meter, prompt_tokens, tokens, report=report)
    machine = describe_machine(where)
    if as_json:
        settings = {"shape": shape, "format": dtype, "prompt_tokens": prompt_tokens, "tokens": tokens}
        measured = {"rows": [asdict(row) for row in rows], "bandwidth": asdict(bandwidth)}
        print_json({**measured, **settings, "machine": asdict(machine)})
        return
    columns = ["engine", "depth", "ms/token", "J/token", "GB/s", "of read bandwidth", "x transformers"]
    table = make_table(columns, left=("engine",))
    for row in rows:
        table.add_row(
            row.engine,
            str(row.depth),
            f"{row.ms_per_token:.3f}",
            number(row.joules_per_token, "{:.4f}"),
            f"{row.gb_per_s:.1f}",
            f"{row.bandwidth_share:.0%}",
            f"{row.times_transformers:.2f}",
        )
    results.print(table)
    results.print(f"Memory: copy {bandwidth.copy_gb_per_s:.1f} GB/s, read {bandwidth.read_gb_per_s:.1f} GB/s.")
    results.print(f"{shape}, random weights, {dtype}: {tokens} tokens after a prompt of {prompt_tokens}.")
    results.print(f"GB/s: weights streamed once; joules from: {meter.detail}", markup=False)
    results.print(note(machine), markup=False)


def debounce_of(value: str) -> int | str:
    """Return milliseconds, or "auto"; raise `UserError` for anything else."""
    if value != "auto" and not (value.isdecimal() and int(value) <= LONGEST_DEBOUNCE_MS):
        raise UserError(f"--debounce takes 0 to {LONGEST_DEBOUNCE_MS} milliseconds, or auto, not {value!r}")
    return value if value == "auto" else int(value)


def make_table(columns: Sequence[str], left: Sequence[str]) -> Table:
    """Return a table whose columns are at the right, but those in `left`."""
    table = Table()
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right")
    return table


def number(value: Any, form: str) -> str:
    """Write a figure; unknown is a question mark, never 0."""
    return "?" if value is None else form.format(value)


def note(machine: Machine) -> str:
    """Say in one line where and with what the numbers were made."""
    on = "" if machine.device == "cpu" else f"{machine.device}, "
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items() if version)
    return (
        f"{on}{machine.processor}, {machine.cores} cores, {machine.threads} threads, {machine.system}; "
        f"{versions}; {machine.date}"
    )
