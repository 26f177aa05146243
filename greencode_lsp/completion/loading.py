"""From a bundle to a completer that is ready to work."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from greencode_lsp.completion.completer import Completer
from greencode_lsp.completion.infill import find_template
from greencode_lsp.completion.metering import cost_table, run_prices
from greencode_lsp.completion.suggestion import LoadOptions, Report
from greencode_lsp.completion.tokenizer import CodeTokenizer
from greencode_lsp.energy import Attribution, Recorder, choose_meter, open_ledger, probe_meters
from greencode_lsp.engine import EarlyExitModel, EngineError, Request, Runner, Session, generate, load_runner
from greencode_lsp.engine.adapters import adapters_beside
from greencode_lsp.engine.drafts.drafter import DRAFTER_FILE, DraftNetwork, load_drafter
from greencode_lsp.engine.drafts.ngrams import NGRAMS_FILE, NgramTable, load_ngrams
from greencode_lsp.engine.exits import EXITS_FILE, ExitHead, load_exits, matching_heads
from greencode_lsp.engine.identity import exits_identity, weights_identity
from greencode_lsp.engine.kv_map import KV_MAP_FILES, KvMap, load_kv_map
from greencode_lsp.engine.threads import use_threads
from greencode_lsp.models import Bundle, Progress, find_bundle, ready_folder
from greencode_lsp.models.cache import remove_leftovers
from greencode_lsp.paths import made_folder
from greencode_lsp.policy import BundlePolicy, Calibration, load_bundle_policy
from greencode_lsp.policy.bundle import file_sha256
from greencode_lsp.preparation import log_waiting

log = logging.getLogger(__name__)

Found = TypeVar("Found")


def load_completer(
    options: LoadOptions, report: Report = lambda stage, done, total: None, ledger: Recorder | None = None
) -> Completer:
    """Fetch the bundle where it is not here yet, load it, and measure what it costs where that is not known yet.

    Completions go to `ledger`, where none is given to the user's own.
    Raises `BundleError`, `EngineError` or `TokenizerError`, each with one line that says what to do.
    """

    def waiting(what: str) -> None:
        log_waiting(what)
        report(f"waiting for another greencode process that {what}", 0, 1)

    remove_leftovers()
    bundle = find_bundle(options.model)
    folder = ready_folder(bundle, lambda progress: report_pull(report, progress), waiting)
    device = choose_device(options.device)
    use_threads(options.threads)
    report("loading", 0, 1)
    runner = load_runner(folder, device, made_folder("packed"), adapters_beside(bundle.folder / EXITS_FILE), waiting)
    policy = load_policy(bundle, runner)
    kv_maps = load_maps(bundle, folder, runner, policy.calibration)
    heads, ngrams = load_heads(bundle, folder, runner), load_ngram_table(bundle, runner)
    model = EarlyExitModel(runner, bundle.exits, heads, kv_maps, ngrams, load_network(bundle, folder, runner))
    warm_up(model)
    tokenizer = CodeTokenizer.load(folder).within(runner.shape.vocabulary_size)
    infill = find_template(tokenizer, bundle.infill)
    meter = choose_meter(probe_meters(device))
    table = cost_table(
        bundle.name,
        model,
        meter,
        made_folder("costs"),
        lambda done, total: report("measuring energy", done, total),
        waiting,
    )
    if table is not None:
        model.run_prices = run_prices(table, model.layers, model.run_prices)
    return Completer(bundle.name, model, tokenizer, Attribution(table, meter), ledger or open_ledger(), policy, infill)


def load_heads(bundle: Bundle, folder: Path, runner: Runner) -> dict[int, ExitHead]:
    """Return the trained heads of the bundle's exits, none where it ships none; raise `EngineError` in one line."""
    path = bundle.folder / EXITS_FILE
    if not path.is_file():
        return {}
    heads = load_exits(path, runner.shape, weights_identity(folder), runner.device, runner.dtype)
    return matching_heads(heads, bundle.exits, path)


def load_policy(bundle: Bundle, runner: Runner) -> BundlePolicy:
    """Return what the bundle decides by, its network as the runner computes it; log what is wrong with it."""
    exits = exits_identity(bundle.folder / EXITS_FILE)
    policy = load_bundle_policy(bundle.folder, bundle.exits, runner.shape.hidden_size, exits)
    if policy.problem:
        log.warning("%s", policy.problem)
    return policy if policy.network is None else replace(policy, network=runner.scorer(policy.network))


def load_maps(bundle: Bundle, folder: Path, runner: Runner, calibration: Calibration | None) -> list[KvMap]:
    """Return the bundle's maps of keys and values that its calibration has left room for; log what keeps others out."""
    proven = set() if calibration is None else {one.sha256 for one in calibration.maps}
    found, paths = [], sorted(bundle.folder.glob(KV_MAP_FILES))
    identity = weights_identity(folder) if paths else ""
    for path in paths:
        if file_sha256(path) not in proven:
            log.warning("%s is not used: the bundle was calibrated without it; run greencode calibrate again", path)
            continue
        if (loaded := load_where_readable(path, lambda path: load_kv_map(path, runner.shape, identity))) is not None:
            found.append(loaded)
    return found


def load_ngram_table(bundle: Bundle, runner: Runner) -> NgramTable | None:
    """Return the bundle's table of what mostly follows in code, None without one that can be read."""
    return load_where_readable(
        bundle.folder / NGRAMS_FILE, lambda path: load_ngrams(path, runner.shape.vocabulary_size)
    )


def load_network(bundle: Bundle, folder: Path, runner: Runner) -> DraftNetwork | None:
    """Return the bundle's drafter, None without one that can be read."""
    path = bundle.folder / DRAFTER_FILE
    return load_where_readable(path, lambda path: load_drafter(path, runner.shape, weights_identity(folder)))


def load_where_readable(path: Path, load: Callable[[Path], Found]) -> Found | None:
    """Return what a file holds that only makes texts cheaper: log what is wrong with it, which is no reason to stop."""
    if not path.is_file():
        return None
    try:
        return load(path)
    except EngineError as error:
        log.warning("%s", error)
        return None


def warm_up(model: EarlyExitModel) -> None:
    """Run two tokens through everything, so that the first completion does not wait for weights to come from disk."""
    generate(Session(model), Request([0, 1], max_tokens=2))


def report_pull(report: Report, progress: Progress) -> None:
    """Pass on how far fetching is."""
    report(progress.stage, progress.done, progress.total)


def choose_device(name: str) -> str:
    """Return the device to run on; raise `EngineError` when CUDA is asked for and not there.

    A GPU is returned with its number: where there are several, its own counter must be read and no other.
    """
    if name not in ("auto", "cuda"):
        return name
    if torch.cuda.is_available():
        return f"cuda:{torch.cuda.current_device()}"
    if name == "cuda":
        raise EngineError("device is set to cuda, but torch finds no CUDA device; set it to auto or cpu")
    return "cpu"
