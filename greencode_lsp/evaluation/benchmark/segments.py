"""Time and joules of every segment and of what reads tokens, by the number of rows that run at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import torch

from greencode_lsp.completion.metering import CONTEXT_ROWS, WINDOW_SECONDS
from greencode_lsp.completion.suggestion import Report
from greencode_lsp.energy import Meter
from greencode_lsp.engine import EarlyExitModel, Session
from greencode_lsp.evaluation.benchmark.bandwidth import Bandwidth, measure_bandwidth, wait_for

ROWS = (1, 2, 4, 8, 16, 32, 64, 256)

PASSES_AT_LEAST = 3

HEAD, SHORTLIST = "head", "shortlist"


@dataclass(frozen=True)
class SegmentRow:
    """A segment (counted from 0, or "head", or the "shortlist" that exits read instead) on so many rows.

    Reading chooses the most likely token, as decoding does. `layers` names its first and last layer, 1-based. `bytes`
    are those of its weights, `bandwidth_share` is how much of the measured read bandwidth streaming them once in this
    time comes to: at many rows arithmetic is the limit instead.
    """

    segment: int | str
    layers: str
    rows: int
    ms: float
    joules: float | None
    source: str
    bytes: int
    gb_per_s: float
    bandwidth_share: float


def measure_segments(
    model: EarlyExitModel,
    meter: Meter,
    rows: Sequence[int] = ROWS,
    window_seconds: float | None = None,
    report: Report = lambda stage, done, total: None,
) -> tuple[Bandwidth, list[SegmentRow]]:
    """Measure the machine, then all segments at each of `rows`, behind a context of 512 rows.

    Joules are counted over windows of whole passes through the model and shared out by time.
    """
    device = str(model.backbone.device)
    bandwidth = measure_bandwidth(device)
    window = WINDOW_SECONDS[meter.source] if window_seconds is None else window_seconds
    session = Session(model)
    session.feed([index % 100 for index in range(CONTEXT_ROWS)])
    for segment in range(len(model.segments)):
        session.run(segment)
    measured = []
    for done, count in enumerate(rows):
        report("segments", done, len(rows))
        seconds, joules = measure_passes(session, count, meter, window)
        total = sum(seconds)
        for part, part_seconds in zip(parts_of(model), seconds, strict=True):
            share = None if joules is None else joules * part_seconds / total
            measured.append(row_of(model, part, count, part_seconds, share, meter.source, bandwidth))
    report("segments", len(rows), len(rows))
    return bandwidth, sorted(measured, key=lambda row: (isinstance(row.segment, str), row.segment, row.rows))


def parts_of(model: EarlyExitModel) -> list[int | str]:
    """Return what a pass runs, in order: segments that have layers, the head, a shortlist where there is one."""
    segments: list[int | str] = [index for index, layers in enumerate(model.segments) if layers]
    return [*segments, HEAD, *([SHORTLIST] if shortlist_segment(model) is not None else [])]


def shortlist_segment(model: EarlyExitModel) -> int | None:
    """Return the last segment behind which a shortlist is read without a translator; None where there is none."""
    found = [
        index
        for index in range(len(model.segments))
        if model.shortlist_layers(index) and not model.translator_layers(index)
    ]
    return found[-1] if found else None


def measure_passes(session: Session, rows: int, meter: Meter, window: float) -> tuple[list[float], float | None]:
    """Return the median seconds of every part, and the joules of a whole pass."""
    one_pass(session, rows)
    before, begun = meter.read_joules(), time.perf_counter()
    passes: list[list[float]] = []
    while len(passes) < PASSES_AT_LEAST or time.perf_counter() - begun < window:
        passes.append(one_pass(session, rows))
    joules = (meter.read_joules() - before) / len(passes)
    # A counter that stood still has told nothing.
    return [median(part) for part in zip(*passes, strict=True)], joules if joules > 0 else None


@torch.inference_mode()
def one_pass(session: Session, rows: int) -> list[float]:
    """Run rows through all segments and read them, and return the seconds of each part."""
    model = session.model
    device = str(model.backbone.device)
    session.rewind(CONTEXT_ROWS)
    session.feed([7] * rows)
    moments = [time.perf_counter()]
    hidden = session.segments[0].queue
    for part in parts_of(model):
        if part == HEAD:
            model.likeliest(model.last, hidden)
        elif part == SHORTLIST:
            model.likeliest(shortlist_segment(model) or 0, hidden)
        else:
            hidden = session.run(int(part))
        wait_for(device)
        moments.append(time.perf_counter())
    return [after - before for before, after in pairwise(moments)]


def row_of(
    model: EarlyExitModel,
    part: int | str,
    rows: int,
    seconds: float,
    joules: float | None,
    source: str,
    bandwidth: Bandwidth,
) -> SegmentRow:
    """Describe a part of a pass."""
    runner = model.backbone
    layers = model.segments[part] if isinstance(part, int) else range(0)
    weight_bytes = sum(map(runner.layer_bytes, layers))
    if part == HEAD:
        weight_bytes = runner.head_bytes()
    elif part == SHORTLIST:
        weight_bytes = round(model.shortlist_layers(shortlist_segment(model) or 0) * runner.layer_bytes(0))
    gb_per_s = weight_bytes / seconds / 1e9
    return SegmentRow(
        segment=part,
        layers=f"{layers.start + 1}-{layers.stop}" if layers else "",
        rows=rows,
        ms=seconds * 1000,
        joules=joules,
        source=source,
        bytes=weight_bytes,
        gb_per_s=gb_per_s,
        bandwidth_share=gb_per_s / bandwidth.read_gb_per_s,
    )
