"""Which meters work on this machine, best first."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from greencode_lsp.energy.estimate import EstimateMeter
from greencode_lsp.energy.meter import Meter, Probe
from greencode_lsp.energy.nvml import probe_nvml
from greencode_lsp.energy.rapl import POWERCAP, ReadText, probe_rapl


def probe_meters(
    device: str = "cpu",
    nvml: ModuleType | None = None,
    powercap: Path = POWERCAP,
    read_text: ReadText = Path.read_text,
) -> list[Probe]:
    """Say of every kind of meter whether it works for a model on `device` ("cpu", "cuda", "cuda:1"), best first.

    A counter of the part where the model does not run is not used: it would pass for a measurement and miss the work.
    The estimate, last, always works.
    """
    if device.startswith("cuda"):
        unused = Probe("rapl", None, "not used: RAPL counts the CPU, the model runs on the GPU")
        estimate = EstimateMeter(note="the GPU, where the model runs, is not counted")
        return [probe_nvml(device, nvml), unused, Probe("estimate", estimate, estimate.detail)]
    unused = Probe("nvml", None, "not used: NVML counts the GPU, the model runs on the CPU")
    estimate = EstimateMeter()
    return [probe_rapl(powercap, read_text), unused, Probe("estimate", estimate, estimate.detail)]


def choose_meter(probes: Iterable[Probe]) -> Meter:
    """Take the first meter that works; the estimate where none does."""
    return next((probe.meter for probe in probes if probe.meter is not None), None) or EstimateMeter()
