"""Other engines on the same examples, at full depth, as many tokens as ours took there."""

from __future__ import annotations

from greencode_lsp.engine import Token
from greencode_lsp.evaluation.benchmark.decoding import Engine
from greencode_lsp.evaluation.benchmark.gauge import Gauge
from greencode_lsp.evaluation.runs.decoding import Decoded
from greencode_lsp.evaluation.runs.records import Cost
from greencode_lsp.evaluation.suites.example import Example


class PeerDecoder:
    """A peer of the benchmark. It knows no stop rules, so it takes as many tokens as full depth did."""

    def __init__(self, engine: Engine, gauge: Gauge) -> None:
        self._engine, self._gauge = engine, gauge

    def decode(self, example: Example, full_tokens: int | None) -> Decoded:
        """Continue an example; its joules are counted, for no table knows this engine."""
        count = max(full_tokens, 1) if full_tokens is not None else example.max_tokens
        begun = self._gauge.read()
        run = self._engine.run(example.prompt, count)
        counted = self._gauge.between(begun, self._gauge.read()).joules if self._engine.source else None
        cost = Cost(
            seconds_prefill=run.prefill.seconds,
            seconds_decode=run.decode.seconds,
            joules_prefill=None,
            joules_decode=None,
            joules_full=None,
            joules_decode_full=None,
            joules_uncached=None,
            joules_uncached_full=None,
            counted_joules=counted,
            source=self._engine.source or "unknown",
        )
        return Decoded(tuple(Token(id, 0) for id in run.tokens), "number of tokens", cost)
