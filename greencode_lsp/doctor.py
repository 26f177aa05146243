"""What works on this machine, and what to do about what does not."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import psutil
import torch

from greencode_lsp import __version__
from greencode_lsp.completion.completer import Completer
from greencode_lsp.completion.loading import choose_device, load_completer
from greencode_lsp.completion.profiles import loss_note, percent, percents
from greencode_lsp.completion.suggestion import CompletionRequest, LoadOptions
from greencode_lsp.energy import open_ledger, probe_meters
from greencode_lsp.engine.packed import KernelUnavailableError, find_compiler, load_library, verify_packed
from greencode_lsp.errors import UserError
from greencode_lsp.models import find_bundle, is_cached, pull_command, verify
from greencode_lsp.paths import cache_folder, made_folder, why_unwritable
from greencode_lsp.policy import BundlePolicy

SAMPLE = 'def mean(values):\n    """Return the arithmetic mean of the values."""\n'


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `fix` says what to do where it is not ok; essential checks must be."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    essential: bool = True


def examine(
    options: LoadOptions, completer: Completer | None = None, profile: str = "auto", max_loss: float | None = None
) -> list[Check]:
    """Check everything greencode needs; with a loaded completer, use that for the test completion.

    `max_loss` is the share of correct next tokens that the profile may lose, where the user has set it.
    """
    return [
        Check("greencode", True, f"{__version__}, Python {platform.python_version()} at {sys.executable}"),
        check_torch(),
        check_cpu(),
        check_kernel(),
        check_cache(),
        check_packed(),
        check_gpu(options),
        *check_meters(options),
        *check_bundle(options),
        check_ledger(),
        *check_completion(options, completer, profile, max_loss),
    ]


def report(checks: list[Check]) -> dict[str, Any]:
    """Return the checks as `greencode doctor --json` and the command `greencode.doctor` give them."""
    rows = [asdict(check) for check in checks]
    for row in rows:
        del row["essential"]
    return {"checks": rows}


def check_torch() -> Check:
    """Look at the torch build and its threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    detail = f"torch {torch.__version__}, {threads} threads on {cores} cores"
    fix = f"set greencode.threads to at most {cores}: more threads than cores slow each other down"
    return Check("torch", threads <= cores, detail, "" if threads <= cores else fix)


def check_cpu() -> Check:
    """Look at the vector instructions that matter for decoding."""
    features = {
        "AVX512-BF16": "_is_avx512_bf16_supported",
        "VNNI": "_is_vnni_supported",
        "AMX": "_is_amx_tile_supported",
    }
    found = [name for name, probe in features.items() if getattr(torch.cpu, probe, lambda: False)()]
    capability = torch.backends.cpu.get_cpu_capability()
    return Check("cpu", True, ", ".join([platform.machine(), capability, *found]))


def check_kernel() -> Check:
    """Look whether the compiled kernel runs here; without it completions work, but many times slower."""
    try:
        instructions = load_library().instructions().decode()
    except KernelUnavailableError as error:
        fix = "nothing to do on this machine: PyTorch runs the model, many times slower"
        if find_compiler() is None:
            fix = "install gcc or clang: without the kernel a token takes many times as long"
        return Check("kernel", False, str(error), fix, essential=False)
    return Check("kernel", True, f"compiled for {instructions}")


def check_gpu(options: LoadOptions) -> Check:
    """Look for a GPU; none is fine, unless one was asked for."""
    try:
        device = choose_device(options.device)
    except UserError as error:
        return Check("gpu", False, str(error), "set greencode.device to auto, or install a CUDA build of torch")
    detail = torch.cuda.get_device_name() if device == "cuda" else "not used: the model runs on the CPU"
    return Check("gpu", True, detail)


def check_meters(options: LoadOptions) -> Iterator[Check]:
    """Look at the energy counters: without one, joules are estimated."""
    device = "cuda" if options.device != "cpu" and torch.cuda.is_available() else "cpu"
    for probe in probe_meters(device):
        if probe.source == "estimate":
            yield Check("energy: estimate", True, probe.detail)
        elif not probe.detail.startswith("not used"):
            works = probe.meter is not None
            fix = probe.fix or "nothing to do on this machine: joules are estimates, and are marked so"
            yield Check(f"energy: {probe.source}", works, probe.detail, "" if works else fix, essential=False)


def check_bundle(options: LoadOptions) -> Iterator[Check]:
    """Look whether the model is here and is what it should be."""
    name = f"model {options.model}"
    try:
        bundle = find_bundle(options.model)
        if not is_cached(bundle):
            yield Check(name, False, "not on this machine yet", f"run: {pull_command(bundle)}")
            return
        problems = verify(bundle)
    except UserError as error:
        yield Check(name, False, str(error), "choose a model that `greencode models list` shows")
        return
    fix = f"run: {pull_command(bundle)}"
    yield Check(name, not problems, "; ".join(problems) or "present and verified", fix if problems else "")


def check_cache() -> Check:
    """Look whether what is made once is kept: models, compiled and packed parts, measured costs."""
    folder = cache_folder()
    if (problem := why_unwritable(folder)) is None:
        return Check("cache", True, str(folder))
    detail = f"{folder} cannot be written ({problem}); {made_folder('packed').parent} stands in for it"
    return Check("cache", False, detail, "make it writable, or set GREENCODE_CACHE to a folder that is")


def check_packed() -> Check:
    """Look at every byte of the packed weights; those that are damaged are made anew at the next start."""
    sound, damaged = verify_packed(made_folder("packed"))
    if damaged:
        names = ", ".join(path.name for path in damaged)
        return Check("packed weights", False, f"damaged and moved aside: {names}", "restart: they are made anew")
    return Check("packed weights", True, f"{sound} files, unchanged" if sound != 1 else "1 file, unchanged")


def check_ledger() -> Check:
    """Look whether completions can be written down."""
    ledger = open_ledger()
    reason = ledger.reason
    ledger.close()
    if reason:
        return Check("ledger", False, reason, "make the folder writable; completions work, but are not counted")
    return Check("ledger", True, "writable")


def check_bounds(policy: BundlePolicy, profile: str, max_loss: float | None) -> Check:
    """Look which quality losses the model is calibrated for, and whether the user's own is one of them."""
    name, calibration = "quality loss", policy.calibration
    if calibration is None:
        return Check(
            name, not policy.problem, policy.problem or "exits are not calibrated: auto is exact", essential=False
        )
    bounds = percents(calibration.proven_losses)
    if max_loss is not None and (note := loss_note(profile, policy, max_loss)):
        return Check(name, False, note, f"set greencode.maxQualityLoss to one of {bounds}", essential=False)
    profiles = ", ".join(f"{name} {percent(loss)}" for name, loss in calibration.profiles.items())
    return Check(name, True, f"calibrated for {bounds}; by default {profiles}")


def check_completion(
    options: LoadOptions, completer: Completer | None, profile: str, max_loss: float | None
) -> Iterator[Check]:
    """Complete a sample and time it."""
    try:
        completer = completer or load_completer(options)
        suggestion = completer.complete(CompletionRequest("doctor", SAMPLE, multiline="never"))
    except UserError as error:
        yield Check("completion", False, str(error), "mend the failing lines above, then run greencode doctor again")
        return
    yield check_bounds(completer.policy, profile, max_loss)
    if suggestion is None or not suggestion.text.strip():
        yield Check("completion", False, "the model said nothing", "run: greencode models verify " + options.model)
        return
    joules = "unknown" if suggestion.charge.joules is None else f"{suggestion.charge.joules:.1f} J"
    memory = psutil.Process().memory_info().rss / 2**20
    yield Check(
        "completion",
        True,
        f"{suggestion.generated_tokens} tokens in {suggestion.timings_ms.total:.0f} ms, "
        f"{joules} ({suggestion.charge.source}), {memory:.0f} MiB in use, {completer.model.backbone.description}",
    )
