"""What a text costs by the calibrated table: split at the prompt, at full depth, and without K/V as in the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from greencode_lsp.energy import CostTable, Work
from greencode_lsp.energy.costs import PREFILL_CHUNK_ROWS


def rows_work(layers: int, rows: int, times: int = 1) -> Work:
    """Return the work of running rows through layers, in chunks as the engine does, without the head."""
    chunks, rest = divmod(rows, PREFILL_CHUNK_ROWS)
    runs: Counter[tuple[float, int]] = Counter()
    runs[layers, PREFILL_CHUNK_ROWS] += chunks * times
    runs[layers, rest] += times * (rest > 0)
    return Work(layer_runs=+runs)


def full_decode_joules(table: CostTable, layers: int, steps: int) -> float:
    """Return the joules of so many tokens at full depth, one after the other."""
    return table.joules(Work(layer_runs={(layers, 1): steps}, head_runs={1: steps}))


def uncached_joules(table: CostTable, prompt_rows: int, depths: Sequence[int]) -> float:
    """Return the joules of tokens read at these depths where each runs the whole text before it again.

    This is how GREEN-CODE ran both its policy and its full-depth baseline (`use_cache=False`).
    """
    joules = 0.0
    for done, depth in enumerate(depths):
        joules += table.joules(rows_work(depth, prompt_rows + done) + Work(head_runs={1: 1}))
    return joules
