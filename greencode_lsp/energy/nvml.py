"""The GPU's own energy counter, read through NVML."""

from __future__ import annotations

import importlib
import logging
import os
from types import ModuleType
from typing import Any

from greencode_lsp.energy.meter import Probe

log = logging.getLogger(__name__)

INSTALL_FIX = "pip install nvidia-ml-py"
OLD_PYNVML_FIX = "pip uninstall pynvml, then pip install --force-reinstall nvidia-ml-py"
DRIVER_FIX = "install NVIDIA's driver; nvidia-smi must work"

REASONS = {
    "NVML_ERROR_LIBRARY_NOT_FOUND": ("NVML's library was not found: no NVIDIA driver here", DRIVER_FIX),
    "NVML_ERROR_DRIVER_NOT_LOADED": ("NVIDIA's driver is not loaded", DRIVER_FIX),
    "NVML_ERROR_NOT_SUPPORTED": ("this GPU does not count its energy (needs Volta or newer, and no MIG slice)", ""),
}


class NvmlMeter:
    """Counts what one whole GPU spends, other processes' work included, the CPU's not.

    `handle` is NVML's device handle. The counter is in millijoules and steps every 20-100 ms.
    """

    source = "nvml"

    def __init__(self, nvml: Any, handle: Any, name: str) -> None:
        self.detail = f"NVML energy counter of {name}"
        self._nvml = nvml
        self._handle = handle
        self._last_mj: int = nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        self._joules = 0.0
        self._failed = False

    def read_joules(self) -> float:
        """Joules since the meter was made."""
        try:
            energy_mj: int = self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        except self._nvml.NVMLError as error:
            if not self._failed:
                self._failed = True
                log.warning("NVML's energy counter cannot be read any more: %s", error)
            return self._joules
        # The counter starts again when the driver is reloaded.
        self._joules += max(energy_mj - self._last_mj, 0) / 1000
        self._last_mj = energy_mj
        return self._joules


def probe_nvml(device: str = "cuda", nvml: ModuleType | None = None, visible_devices: str | None = None) -> Probe:
    """Look for the energy counter of a GPU named as torch does ("cuda", "cuda:1").

    `visible_devices` is CUDA_VISIBLE_DEVICES where not given. Numbers are taken in PCI order, which is CUDA's on
    machines with one kind of GPU.
    """
    try:
        module: Any = nvml or importlib.import_module("pynvml")
    except ImportError:
        return Probe("nvml", None, "the Python package nvidia-ml-py is not installed", INSTALL_FIX)
    if not hasattr(module, "_nvmlGetFunctionPointer"):
        return Probe("nvml", None, "the deprecated package pynvml hides nvidia-ml-py", OLD_PYNVML_FIX)
    if visible_devices is None:
        visible_devices = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    try:
        module.nvmlInit()
        handle = _device_handle(module, device, visible_devices)
        name = module.nvmlDeviceGetName(handle)
        meter = NvmlMeter(module, handle, name.decode() if isinstance(name, bytes) else name)
    except module.NVMLError as error:
        return _failed(module, error)
    return Probe("nvml", meter, meter.detail)


def _device_handle(nvml: Any, device: str, visible_devices: str) -> Any:
    index = int(device.partition(":")[2] or 0)
    visible = [name.strip() for name in visible_devices.split(",") if name.strip()]
    name = visible[index] if index < len(visible) else str(index)
    if name.isdigit():
        return nvml.nvmlDeviceGetHandleByIndex(int(name))
    return nvml.nvmlDeviceGetHandleByUUID(name)


def _failed(nvml: Any, error: Any) -> Probe:
    for code, (detail, fix) in REASONS.items():
        if error.value == getattr(nvml, code):
            return Probe("nvml", None, detail, fix)
    return Probe("nvml", None, f"NVML fails: {error}", DRIVER_FIX)
