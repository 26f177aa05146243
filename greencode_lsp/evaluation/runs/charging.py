"""What a text costs by the calibrated table: split at the prompt, at full depth, and without K/V as in the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from greencode_lsp.energy import CostTable, Work
from greencode_lsp.energy.costs import PREFILL_CHUNK_ROWS
from greencode_lsp.engine import EarlyExitModel, Token


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


def uncached_joules(table: CostTable, prompt_rows: int, tokens: Sequence[Token], model: EarlyExitModel) -> float:
    """Return the joules of these tokens where each runs the whole text before it again.

    This is how GREEN-CODE ran both its policy and its full-depth baseline (`use_cache=False`).
    """
    readings = reading_works(model)
    joules = 0.0
    for done, token in enumerate(tokens):
        joules += table.joules(rows_work(token.exit_layer, prompt_rows + done) + reading_work(readings, token))
    return joules


def reading_works(model: EarlyExitModel) -> dict[tuple[int, bool], Work]:
    """Return what reading a token costs, by the depth and by whether it is read from a shortlist."""
    works = {}
    for segment in range(len(model.segments)):
        shortlist, translator = model.shortlist_layers(segment), model.translator_layers(segment)
        head_runs = {} if shortlist else {1: 1}
        works[model.depth(segment), shortlist > 0] = Work({(shortlist + translator, 1): 1}, head_runs)
    return works


def reading_work(readings: Mapping[tuple[int, bool], Work], token: Token) -> Work:
    """Return what reading a token cost, where it was read in vain included."""
    in_vain = (readings.get((depth, True)) or readings[depth, False] for depth in token.read_in_vain)
    return sum(in_vain, readings[token.exit_layer, token.shortlisted])
