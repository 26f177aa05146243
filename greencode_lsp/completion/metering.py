"""What running this model costs on this machine, measured once and kept."""

import logging
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from greencode_lsp.energy import CALIBRATED_ROWS, CalibrationError, CostStore, CostTable, Meter, Work, calibrate
from greencode_lsp.engine import EarlyExitModel, Session
from greencode_lsp.preparation import Waiting, log_waiting, one_at_a_time

log = logging.getLogger(__name__)

CONTEXT_ROWS = 512
"""Rows that lie in the cache while costs are measured: attention over a typical prompt is part of the price."""

WINDOW_SECONDS = {"estimate": 0.3, "rapl": 0.7, "nvml": 1.5}
"""How long each row count is measured: a counter that steps every 100 ms needs longer than the CPU clock."""


def cost_table(
    name: str,
    model: EarlyExitModel,
    meter: Meter,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    waiting: Waiting = log_waiting,
) -> CostTable | None:
    """Return joules per layer and head run, from `folder` or measured now; None when the meter does not move.

    `progress(done, total)` is called between the measurements, which take some seconds in all. One process measures at
    a time, of whatever model: two would measure each other. `waiting` is told where that has to be waited for.
    """
    store, key = CostStore(folder), machine_key(name, model, meter)
    if (known := store.load(key)) is not None:
        return known
    with one_at_a_time("measure", "measures energy", waiting):
        if (known := store.load(key)) is not None:
            return known
        log.info("measuring what %s costs on this machine", name)
        try:
            table = measure(model, meter, progress)
        except CalibrationError:
            return None
        store.save(key, table)
        return table


def measure(model: EarlyExitModel, meter: Meter, progress: Callable[[int, int], None] | None) -> CostTable:
    """Measure passes through the whole model; all layers of a backbone cost the same."""
    session = Session(model)
    context = model.backbone.shape.context_length
    before = min(CONTEXT_ROWS, context // 2)
    session.feed([index % 100 for index in range(before)])
    for segment in range(len(model.segments)):
        session.run(segment)

    @torch.inference_mode()
    def run_pass(rows: int) -> tuple[float, float]:
        session.rewind(before)
        session.feed([7] * rows)
        started = time.perf_counter()
        for segment in range(len(model.segments)):
            hidden = session.run(segment)
        hidden[-1, 0].item()  # waits for a GPU
        between = time.perf_counter()
        model.most_likely(model.last, hidden)[0].item()
        return between - started, time.perf_counter() - between

    window = WINDOW_SECONDS[meter.source]
    fitting = [rows for rows in CALIBRATED_ROWS if rows <= min(before, context - before)]
    return calibrate(run_pass, model.layers, meter, window, rows=fitting, progress=progress)


def run_prices(table: CostTable, layers: int, unknown: Sequence[float]) -> tuple[float, ...]:
    """Return what runs of 1, 2, ... rows cost, in runs of one; `unknown` prices where the table has none."""

    def joules(rows: int) -> float:
        return table.joules(Work({(layers, rows): 1}, {rows: 1}))

    return tuple(joules(rows + 1) / joules(1) for rows in range(len(unknown))) if joules(1) else tuple(unknown)


def machine_key(name: str, model: EarlyExitModel, meter: Meter) -> str:
    """Name everything that the costs depend on; folders of different models may have one name."""
    backbone = model.backbone
    sizes = (model.layers, backbone.layer_bytes(0), backbone.head_bytes())
    parts = ("isotonic", *CALIBRATED_ROWS, name, *sizes, backbone.device, backbone.description, torch.get_num_threads())
    return " ".join(map(str, (*parts, torch.__version__, platform.processor(), platform.node(), meter.detail)))
