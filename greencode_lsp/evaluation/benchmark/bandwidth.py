"""How fast this machine moves memory, measured with big tensors: the roof of decoding one token at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

TENSOR_BYTES = 256 * 2**20
"""Much more than any cache holds."""

RUNS = 5


@dataclass(frozen=True)
class Bandwidth:
    """Gigabytes (1e9) a second: read and written together by a copy, read by a sum."""

    copy_gb_per_s: float
    read_gb_per_s: float


def measure_bandwidth(device: str, tensor_bytes: int = TENSOR_BYTES) -> Bandwidth:
    """Measure with as many threads as torch uses; medians."""
    source = torch.ones(tensor_bytes // 4, device=device)
    target = torch.empty_like(source)
    copying = seconds_of(lambda: target.copy_(source), device)
    summing = seconds_of(source.sum, device)
    return Bandwidth(2 * tensor_bytes / copying / 1e9, tensor_bytes / summing / 1e9)


def seconds_of(run: Callable[[], object], device: str) -> float:
    """Return the median time of a run, after one that does not count."""
    run()
    times = []
    for _ in range(RUNS):
        wait_for(device)
        begun = time.perf_counter()
        run()
        wait_for(device)
        times.append(time.perf_counter() - begun)
    return median(times)


def wait_for(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
