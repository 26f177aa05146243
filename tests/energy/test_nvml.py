from __future__ import annotations

import logging
import sys
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from greencode_lsp.energy import Meter, Probe
from greencode_lsp.energy.nvml import probe_nvml

from .fakes import FakeNvml


def probe(nvml: object, device: str = "cuda", visible_devices: str = "") -> Probe:
    return probe_nvml(device, cast(ModuleType, nvml), visible_devices)


def meter_of(found: Probe) -> Meter:
    assert found.meter is not None
    return found.meter


def test_the_counter_in_millijoules_is_read_from_the_meters_start() -> None:
    nvml = FakeNvml()
    meter = meter_of(probe(nvml))
    assert meter.read_joules() == 0.0
    nvml.energy_mj["GPU-0"] += 2500
    nvml.energy_mj["GPU-1"] += 9000
    assert meter.read_joules() == pytest.approx(2.5)
    assert meter.source == "nvml"
    assert "Fake GPU-0" in meter.detail


@pytest.mark.parametrize(
    ("device", "visible_devices", "gpu"),
    [
        ("cuda", "", "GPU-0"),
        ("cuda:1", "", "GPU-1"),
        ("cuda:0", "1,0", "GPU-1"),
        ("cuda:1", "1, 0", "GPU-0"),
        ("cuda", "GPU-bbbb", "GPU-1"),
    ],
)
def test_the_gpu_torch_means_is_the_gpu_read(device: str, visible_devices: str, gpu: str) -> None:
    assert meter_of(probe(FakeNvml(), device, visible_devices)).detail.endswith(gpu)


@pytest.mark.parametrize(
    ("nvml", "reason"),
    [
        (FakeNvml(init_error=12), "library was not found"),
        (FakeNvml(init_error=9), "driver is not loaded"),
        (FakeNvml(init_error=999), "NVML fails: NVML error 999"),
        (FakeNvml(energy_error=3), "Volta or newer"),
        (SimpleNamespace(nvmlInit=lambda: None), "deprecated package pynvml"),
    ],
)
def test_a_gpu_that_cannot_be_metered_is_reported_with_the_reason(nvml: object, reason: str) -> None:
    found = probe(nvml)
    assert found.meter is None
    assert reason in found.detail


def test_a_missing_package_is_reported_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found = probe_nvml()
    assert found.meter is None
    assert found.fix == "pip install nvidia-ml-py"


def test_the_installed_package_is_the_one_expected() -> None:
    assert "deprecated" not in probe_nvml().detail
    assert "not installed" not in probe_nvml().detail


def test_a_reloaded_driver_does_not_turn_the_meter_back() -> None:
    nvml = FakeNvml()
    meter = meter_of(probe(nvml))
    nvml.energy_mj["GPU-0"] += 1000
    assert meter.read_joules() == pytest.approx(1.0)
    nvml.energy_mj["GPU-0"] = 0
    assert meter.read_joules() == pytest.approx(1.0)
    nvml.energy_mj["GPU-0"] = 500
    assert meter.read_joules() == pytest.approx(1.5)


def test_a_gpu_that_falls_off_the_bus_keeps_its_last_value_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nvml = FakeNvml()
    meter = meter_of(probe(nvml))
    nvml.energy_mj["GPU-0"] += 1000
    assert meter.read_joules() == pytest.approx(1.0)
    nvml.energy_error = 15
    with caplog.at_level(logging.WARNING):
        assert meter.read_joules() == pytest.approx(1.0)
        assert meter.read_joules() == pytest.approx(1.0)
    assert len(caplog.records) == 1
