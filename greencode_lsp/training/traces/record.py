"""Recording traces: one teacher-forced pass over windows of a corpus, with the exits' heads."""

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from greencode_lsp.engine import Runner
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.engine.runner import Reader
from greencode_lsp.engine.shortlist import listed_by, words_of
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.observe import Observed, observe
from greencode_lsp.training.traces.shards import as_array
from greencode_lsp.training.traces.storage import TraceFacts, TraceRows, Traces, TraceWriter
from greencode_lsp.training.traces.texts import Window

READ_ROWS = 64
"""Rows that are read at once, with a shortlist's words from what stands before the first of them, as in a prompt."""


def record_traces(
    runner: Runner,
    heads: Mapping[int, ExitHead],
    windows: Sequence[Window],
    lead: Sequence[int],
    folder: Path,
    facts: TraceFacts,
    report: Report,
) -> Traces:
    """Record windows in their order, going on where an earlier run was stopped; exits without a head are read plainly.

    Raises `TrainingError` in one line for a full disk, a folder of other traces, or states beyond float16.
    """
    readers = [runner.reader(head) for head in (*map(heads.get, facts.exits), None)]
    listed = listed_by(heads)
    writer = TraceWriter(folder, facts)
    for index in range(writer.cursor, len(windows)):
        report(f"recording {facts.split}", index, len(windows))
        window = windows[index]
        observed = observe(runner, window.ids, facts.exits, [*lead, *map(int, window.before)])
        writer.append(trace_rows(window, observed, readers, listed), index + 1)
    writer.close(len(windows))
    return Traces.open(folder)


@torch.inference_mode()
def trace_rows(
    window: Window, observed: Observed, readers: Sequence[Reader], listed: Set[int] | None = None
) -> TraceRows:
    """Read what was observed of a window at every exit and at full depth; `listed` are the ids of exits' shortlist."""
    rows = len(observed.true)
    words = [words_of(window.read_by(start), listed) for start in range(0, rows, READ_ROWS)]
    states = [*observed.hidden.unbind(1), observed.final]
    read = [likeliest(reader, hidden, words) for reader, hidden in zip(readers, states, strict=True)]
    place = np.empty((rows, 3), np.int32)
    place[:, 0], place[:, 1] = window.package, window.file
    place[:, 2] = np.arange(rows) + window.start
    return TraceRows(
        hidden=as_array(observed.hidden),
        predicted=stacked([tokens for tokens, _ in read]),
        probability=stacked([probabilities for _, probabilities in read]),
        true=as_array(observed.true),
        place=place,
    )


def likeliest(reader: Reader, hidden: Tensor, words: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """Return the likeliest token [rows] and its probability [rows] behind hidden states [rows, hidden].

    `words` are those that each `READ_ROWS` of them are read with.
    """
    read = [reader.likeliest(*chunk) for chunk in zip(torch.split(hidden, READ_ROWS), words, strict=True)]
    tokens, probabilities = zip(*read, strict=True)
    return torch.cat(tokens), torch.cat(probabilities)


def stacked(columns: Sequence[Tensor]) -> NDArray[Any]:
    """Put columns [rows] beside one another."""
    return as_array(torch.stack(list(columns), dim=1))
