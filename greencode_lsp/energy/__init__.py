"""Energy: meters, what a completion costs, and the ledger that keeps it.

`probe_meters` says which counters work here and `choose_meter` takes the best. `calibrate` measures a `CostTable` of
joules per layer and head run with it, `CostStore` keeps that, and `Attribution` charges each completion by its `Work`.
`open_ledger` opens the local file of what was charged, `LedgerThread` keeps it away from who must not wait for it;
`grid_factor` and `grams` turn energy into CO2e.
"""

from greencode_lsp.energy.attribution import Attribution, Charge
from greencode_lsp.energy.calibration import CALIBRATED_ROWS, CalibrationError, calibrate
from greencode_lsp.energy.carbon import GRID_FACTORS, GridFactor, grams, grid_factor
from greencode_lsp.energy.cost_store import CostStore
from greencode_lsp.energy.costs import CostTable, Work, full_depth
from greencode_lsp.energy.estimate import WATTS_PER_CORE, EstimateMeter
from greencode_lsp.energy.ledger import Ledger
from greencode_lsp.energy.ledger_records import DayTotals, Entry, Recorder, Summary
from greencode_lsp.energy.ledger_thread import LedgerThread
from greencode_lsp.energy.meter import Meter, Probe
from greencode_lsp.energy.nvml import NvmlMeter
from greencode_lsp.energy.open_ledger import NullLedger, ledger_path, open_ledger
from greencode_lsp.energy.probes import choose_meter, probe_meters
from greencode_lsp.energy.rapl import RaplMeter

__all__ = [
    "CALIBRATED_ROWS",
    "GRID_FACTORS",
    "WATTS_PER_CORE",
    "Attribution",
    "CalibrationError",
    "Charge",
    "CostStore",
    "CostTable",
    "DayTotals",
    "Entry",
    "EstimateMeter",
    "GridFactor",
    "Ledger",
    "LedgerThread",
    "Meter",
    "NullLedger",
    "NvmlMeter",
    "Probe",
    "RaplMeter",
    "Recorder",
    "Summary",
    "Work",
    "calibrate",
    "choose_meter",
    "full_depth",
    "grams",
    "grid_factor",
    "ledger_path",
    "open_ledger",
    "probe_meters",
]
