"""From a bundle to a completer that is ready to work."""

import torch

from greencode_lsp.completion.completer import Completer
from greencode_lsp.completion.metering import cost_table
from greencode_lsp.completion.suggestion import LoadOptions, Report
from greencode_lsp.completion.tokenizer import CodeTokenizer
from greencode_lsp.energy import Attribution, choose_meter, open_ledger, probe_meters
from greencode_lsp.engine import EarlyExitModel, EngineError, Request, Session, generate, load_runner
from greencode_lsp.models import Progress, find_bundle, is_cached, load_folder, pull
from greencode_lsp.paths import cache_folder


def load_completer(options: LoadOptions, report: Report = lambda stage, done, total: None) -> Completer:
    """Fetch the bundle where it is not here yet, load it, and measure what it costs where that is not known yet.

    Raises `BundleError`, `EngineError` or `TokenizerError`, each with one line that says what to do.
    """
    bundle = find_bundle(options.model)
    if not is_cached(bundle):
        pull(bundle, lambda progress: report_pull(report, progress))
    folder = load_folder(bundle)
    device = choose_device(options.device)
    if options.threads > 0:
        torch.set_num_threads(options.threads)
    report("loading", 0, 1)
    model = EarlyExitModel(load_runner(folder, device, cache_folder() / "packed"), bundle.exits)
    warm_up(model)
    tokenizer = CodeTokenizer.load(folder)
    meter = choose_meter(probe_meters(device))
    table = cost_table(
        bundle.name, model, meter, cache_folder() / "costs", lambda done, total: report("measuring energy", done, total)
    )
    return Completer(bundle.name, model, tokenizer, Attribution(table, meter), open_ledger())


def warm_up(model: EarlyExitModel) -> None:
    """Run two tokens through everything, so that the first completion does not wait for weights to come from disk."""
    generate(Session(model), Request([0, 1], max_tokens=2))


def report_pull(report: Report, progress: Progress) -> None:
    """Pass on how far fetching is."""
    report(progress.stage, progress.done, progress.total)


def choose_device(name: str) -> str:
    """Return the device to run on; raise `EngineError` when CUDA is asked for and not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise EngineError("device is set to cuda, but torch finds no CUDA device; set it to auto or cpu")
    return name
