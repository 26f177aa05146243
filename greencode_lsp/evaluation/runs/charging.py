"""What a text costs by the calibrated table: split at the prompt, at full depth, and without K/V as in the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from greencode_lsp.energy import CostTable, Work
from greencode_lsp.energy.costs import PREFILL_CHUNK_ROWS
from greencode_lsp.engine import EarlyExitModel


def rows_work(layers: float, rows: int, times: int = 1) -> Work:
    """Return the work of running rows through layers, in chunks as the engine does, without the head."""
    chunks, rest = divmod(rows, PREFILL_CHUNK_ROWS)
    runs: Counter[tuple[float, int]] = Counter()
    runs[layers, PREFILL_CHUNK_ROWS] += chunks * times
    runs[layers, rest] += times * (rest > 0)
    return Work(layer_runs=+runs)


def full_decode_joules(table: CostTable, layers: int, steps: int) -> float:
    """Return the joules of so many tokens at full depth, one after the other."""
    return table.joules(Work(layer_runs={(layers, 1): steps}, head_runs={1: steps}))


def uncached_joules(
    table: CostTable, prompt_rows: int, depths: Sequence[int], translators: Mapping[int, float]
) -> float:
    """Return the joules of tokens read at these depths where each runs the whole text before it again.

    This is how GREEN-CODE ran both its policy and its full-depth baseline (`use_cache=False`). `translators` says what
    reading at a depth costs before the head, in layers.
    """
    joules = 0.0
    for done, depth in enumerate(depths):
        reading = Work(layer_runs={(translators[depth], 1): 1}, head_runs={1: 1})
        joules += table.joules(rows_work(depth, prompt_rows + done) + reading)
    return joules


def translator_layers(model: EarlyExitModel) -> dict[int, float]:
    """Return by depth what reading a token there costs before the head, in layers."""
    return {model.depth(index): model.translator_layers(index) for index in range(len(model.segments))}
