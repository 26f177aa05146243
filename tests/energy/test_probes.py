from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

from greencode_lsp.energy import EstimateMeter, Probe, choose_meter, probe_meters

from .fakes import FakeClock, FakeNvml, forbid, write_zone


def test_on_a_cpu_rapl_is_best_and_the_gpu_is_not_asked(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    probes = probe_meters("cpu", cast(ModuleType, FakeNvml()), tmp_path)
    assert [probe.source for probe in probes] == ["rapl", "nvml", "estimate"]
    assert choose_meter(probes).source == "rapl"
    assert probes[1].meter is None
    assert "the model runs on the CPU" in probes[1].detail


def test_on_a_gpu_nvml_is_best_and_the_cpus_counter_does_not_stand_in_for_it(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    assert choose_meter(probe_meters("cuda", cast(ModuleType, FakeNvml()), tmp_path)).source == "nvml"
    without = probe_meters("cuda:0", cast(ModuleType, FakeNvml(init_error=12)), tmp_path)
    assert [probe.source for probe in without] == ["nvml", "rapl", "estimate"]
    assert choose_meter(without).source == "estimate"
    assert "the GPU, where the model runs, is not counted" in choose_meter(without).detail


def test_without_any_counter_the_estimate_is_used_and_every_probe_says_why(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    probes = probe_meters("cpu", powercap=tmp_path, read_text=forbid("energy_uj"))
    assert choose_meter(probes).source == "estimate"
    assert all(probe.detail for probe in probes)


def test_choosing_among_no_working_meters_still_gives_the_estimate() -> None:
    assert choose_meter([Probe("nvml", None, "no driver")]).source == "estimate"


def test_the_estimate_is_cpu_seconds_since_its_start_times_a_named_power() -> None:
    cpu_seconds = FakeClock()
    meter = EstimateMeter(cpu_seconds)
    assert meter.read_joules() == 0.0
    cpu_seconds.seconds += 2.5
    assert meter.read_joules() == pytest.approx(30.0)
    assert "CPU seconds x 12 W per core" in meter.detail
    assert "assumed" in meter.detail
