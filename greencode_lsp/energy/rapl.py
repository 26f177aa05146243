"""The CPU's own energy counters (RAPL), read from Linux's powercap files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from greencode_lsp.energy.meter import Probe

log = logging.getLogger(__name__)

POWERCAP = Path("/sys/class/powercap")

MODULE_FIX = "on a real machine: sudo modprobe intel_rapl_msr (virtual machines rarely have RAPL)"
PERMISSION_FIX = (
    "put this line, with a group of yours for GROUP, into /etc/udev/rules.d/70-powercap.rules: "
    'SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", RUN+="/usr/bin/chgrp GROUP /sys/%p/energy_uj", '
    'RUN+="/usr/bin/chmod g+r /sys/%p/energy_uj" '
    "and then: sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=powercap"
)

ReadText = Callable[[Path], str]


@dataclass
class Zone:
    """One power zone: its files, the counter's last value and where it wraps, both in microjoules."""

    name: str
    energy_file: Path
    last_uj: int
    range_uj: int

    def advance(self, energy_uj: int) -> int:
        """Microjoules since the last call, over one wrap at most."""
        spent_uj = energy_uj - self.last_uj
        if spent_uj < 0:
            spent_uj += self.range_uj
        self.last_uj = energy_uj
        return max(spent_uj, 0)


class RaplMeter:
    """Adds up the energy of all packages and their memory: everything that runs on the CPU, not this process alone.

    A counter wraps after about an hour of full load: two reads that enclose work must lie closer than that.
    """

    source = "rapl"

    def __init__(self, zones: list[Zone], read_text: ReadText = Path.read_text) -> None:
        self.detail = "RAPL " + " + ".join(zone.name for zone in zones)
        self._zones = zones
        self._read_text = read_text
        self._joules = 0.0
        self._failed = False

    def read_joules(self) -> float:
        """Joules since the meter was made."""
        for zone in self._zones:
            try:
                self._joules += zone.advance(int(self._read_text(zone.energy_file))) / 1e6
            except (OSError, ValueError) as error:
                if not self._failed:
                    self._failed = True
                    log.warning("RAPL %s cannot be read any more: %s", zone.name, error)
        return self._joules


def probe_rapl(root: Path = POWERCAP, read_text: ReadText = Path.read_text) -> Probe:
    """Look for readable package counters under `root`.

    Zones lie flat in the folder: intel-rapl:0 is a package (AMD's too), intel-rapl:0:1 a part of it. Memory (dram) is
    counted beside its package; core and uncore lie inside the package, psys encloses it, and intel-rapl-mmio repeats
    it: counting those would count twice.
    """
    zones: list[Zone] = []
    forbidden = False
    for folder in sorted(root.glob("intel-rapl:*")):
        try:
            name = read_text(folder / "name").strip()
            if not (name.startswith("package") or name == "dram"):
                continue
            energy_file = folder / "energy_uj"
            range_uj = int(read_text(folder / "max_energy_range_uj"))
            zones.append(Zone(name, energy_file, int(read_text(energy_file)), range_uj))
        except PermissionError:
            forbidden = True
        except (OSError, ValueError) as error:
            log.info("RAPL zone %s left out: %s", folder.name, error)
    if any(zone.name.startswith("package") for zone in zones):
        meter = RaplMeter(zones, read_text)
        return Probe("rapl", meter, meter.detail)
    if forbidden:
        return Probe("rapl", None, "RAPL is there, but only root may read it (Linux 5.10 and newer)", PERMISSION_FIX)
    return Probe("rapl", None, f"no RAPL counters under {root}", MODULE_FIX)
