"""Where and with what a benchmark ran: no number means anything without it."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import psutil
import torch

from greencode_lsp import __version__
from greencode_lsp.processor import processor_name


@dataclass(frozen=True)
class Machine:
    """The processor, how much of it was used, and the versions of what ran; None is not installed."""

    processor: str
    device: str
    cores: int
    threads: int
    system: str
    date: str
    versions: dict[str, str | None]


def describe_machine(device: str) -> Machine:
    """Describe this machine now. `device` is the torch device that the model runs on."""
    return Machine(
        processor=processor_name(),
        device=torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        threads=torch.get_num_threads(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        date=datetime.now(UTC).date().isoformat(),
        versions={
            "greencode": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": installed_version("transformers"),
            "llama-cpp-python": installed_version("llama-cpp-python"),
        },
    )


def installed_version(package: str) -> str | None:
    """Return the version of a package without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
