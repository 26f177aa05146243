"""Counters and clocks that tests move by hand."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class FakeMeter:
    """A counter that shows new joules only every `step_seconds` of its clock, as hardware does."""

    source = "rapl"
    detail = "a fake counter"

    def __init__(self, clock: FakeClock, step_seconds: float = 0.0) -> None:
        self._clock = clock
        self._step_seconds = step_seconds
        self._history = [(clock.seconds, 0.0)]  # seconds, joules spent until then

    def spend(self, joules: float, seconds: float) -> None:
        """Let time pass at constant power."""
        self._clock.seconds += seconds
        self._history.append((self._clock.seconds, self._history[-1][1] + joules))

    def read_joules(self) -> float:
        if not self._step_seconds:
            return self._history[-1][1]
        shown_seconds = self._clock.seconds // self._step_seconds * self._step_seconds
        after = bisect_left(self._history, (shown_seconds, 0.0))
        if after == 0:
            return 0.0
        (left, joules_left), (right, joules_right) = self._history[after - 1 : after + 1]
        return joules_left + (joules_right - joules_left) * (shown_seconds - left) / (right - left)


class FakeNvmlError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


class FakeNvml:
    """The part of pynvml that is used, for machines with the GPUs named in `energy_mj`."""

    NVMLError = FakeNvmlError
    NVML_ERROR_NOT_SUPPORTED = 3
    NVML_ERROR_DRIVER_NOT_LOADED = 9
    NVML_ERROR_LIBRARY_NOT_FOUND = 12

    def __init__(self, init_error: int = 0, energy_error: int = 0) -> None:
        self.init_error = init_error
        self.energy_error = energy_error
        self.energy_mj = {"GPU-0": 5_000_000, "GPU-1": 7_000_000}
        self._nvmlGetFunctionPointer = None

    def nvmlInit(self) -> None:  # noqa: N802
        if self.init_error:
            raise FakeNvmlError(self.init_error)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return f"GPU-{index}"

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        return {"GPU-aaaa": "GPU-0", "GPU-bbbb": "GPU-1"}[uuid]

    def nvmlDeviceGetName(self, handle: str) -> bytes:  # noqa: N802
        return f"Fake {handle}".encode()

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802
        if self.energy_error:
            raise FakeNvmlError(self.energy_error)
        return self.energy_mj[handle]


def write_zone(root: Path, zone: str, name: str, energy_uj: int, range_uj: int = 1_000_000_000) -> Path:
    """Make a zone of a powercap tree; returns the file with its counter."""
    folder = root / zone
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
    energy_file = folder / "energy_uj"
    energy_file.write_text(f"{energy_uj}\n")
    return energy_file


def forbid(file_name: str) -> Callable[[Path], str]:
    """A reader that may not read files of that name."""

    def read_text(path: Path) -> str:
        if path.name == file_name:
            raise PermissionError(13, "Permission denied", str(path))
        return path.read_text()

    return read_text
