from __future__ import annotations

import logging
from pathlib import Path

import pytest

from greencode_lsp.energy import Meter
from greencode_lsp.energy.rapl import probe_rapl

from .fakes import forbid, write_zone


def meter_of(root: Path) -> Meter:
    meter = probe_rapl(root).meter
    assert meter is not None
    return meter


def test_packages_and_memory_are_added_up_and_parts_of_a_package_are_not(tmp_path: Path) -> None:
    package = write_zone(tmp_path, "intel-rapl:0", "package-0", 100)
    core = write_zone(tmp_path, "intel-rapl:0:0", "core", 100)
    uncore = write_zone(tmp_path, "intel-rapl:0:1", "uncore", 100)
    dram = write_zone(tmp_path, "intel-rapl:0:2", "dram", 100)
    second = write_zone(tmp_path, "intel-rapl:1", "package-1", 100)
    psys = write_zone(tmp_path, "intel-rapl:2", "psys", 100)
    repeated = write_zone(tmp_path, "intel-rapl-mmio:0", "package-0", 100)
    (tmp_path / "intel-rapl").mkdir()
    meter = meter_of(tmp_path)

    package.write_text("1000100")
    dram.write_text("500100")
    second.write_text("2000100")
    for overlapping in (core, uncore, psys, repeated):
        overlapping.write_text("900000000")

    assert meter.read_joules() == pytest.approx(1.0 + 0.5 + 2.0)
    assert meter.detail == "RAPL package-0 + dram + package-1"
    assert meter.source == "rapl"


def test_a_counter_that_wraps_goes_on_counting(tmp_path: Path) -> None:
    counter = write_zone(tmp_path, "intel-rapl:0", "package-0", 9_000_000, range_uj=10_000_000)
    meter = meter_of(tmp_path)

    counter.write_text("500000")
    assert meter.read_joules() == pytest.approx(1.5)
    counter.write_text("600000")
    assert meter.read_joules() == pytest.approx(1.6)
    counter.write_text("100000")
    assert meter.read_joules() == pytest.approx(1.6 + 9.5)


def test_a_counter_only_root_may_read_is_reported_with_the_udev_rule(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    probe = probe_rapl(tmp_path, forbid("energy_uj"))
    assert probe.meter is None
    assert "only root may read it" in probe.detail
    assert 'SUBSYSTEM=="powercap"' in probe.fix
    assert "udevadm" in probe.fix


@pytest.mark.parametrize("folder", ["missing", "."])
def test_a_machine_without_counters_is_reported(tmp_path: Path, folder: str) -> None:
    probe = probe_rapl(tmp_path / folder)
    assert probe.meter is None
    assert "no RAPL counters" in probe.detail
    assert "modprobe" in probe.fix


def test_a_counter_of_memory_alone_is_not_taken_for_the_cpu(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0:0", "dram", 0)
    assert probe_rapl(tmp_path).meter is None


def test_a_zone_that_holds_nonsense_is_left_out(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    write_zone(tmp_path, "intel-rapl:1", "package-1", 0).write_text("soon")
    assert meter_of(tmp_path).detail == "RAPL package-0"


def test_a_counter_that_vanishes_keeps_its_last_value_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counter = write_zone(tmp_path, "intel-rapl:0", "package-0", 0)
    meter = meter_of(tmp_path)
    counter.write_text("2000000")
    assert meter.read_joules() == pytest.approx(2.0)
    counter.unlink()
    with caplog.at_level(logging.WARNING):
        assert meter.read_joules() == pytest.approx(2.0)
        assert meter.read_joules() == pytest.approx(2.0)
    assert len(caplog.records) == 1
