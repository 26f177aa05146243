"""A prompt's K/V, computed once and shared by all configurations of a model.

K/V are exact for every row a segment has run, whatever policy runs later: so the prompt, all but its last token, runs
through every segment once, timed segment by segment, and a configuration is charged for the segments it would have had
to run. What a lazy prefill leaves out is left out of its costs too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from greencode_lsp.energy import CostTable, Work
from greencode_lsp.engine import EarlyExitModel, Finish, Generation, Session, Token
from greencode_lsp.engine.kv_map import FIRST_ROWS
from greencode_lsp.evaluation.benchmark.gauge import Gauge, Reading
from greencode_lsp.evaluation.runs.charging import full_decode_joules, rows_work, uncached_joules
from greencode_lsp.evaluation.runs.records import Cost


@dataclass(frozen=True)
class Prefill:
    """A session that holds all of a prompt but its last token, and what each segment took to run it.

    `filled` rows of the segments behind a map of keys and values were not run.
    """

    session: Session
    prompt: tuple[int, ...]
    segments: tuple[Reading, ...]
    filled: int = 0

    def reached(self) -> list[int]:
        """Return the segments that have run the prompt's last token: those that a generation needed."""
        states = self.session.segments
        return [index for index, state in enumerate(states) if state.length >= len(self.prompt)]


class SharedPrompts:
    """Runs prompts through one model; keeps the last one. Rows far above are filled by the map after `fill` layers."""

    def __init__(self, model: EarlyExitModel, table: CostTable | None, gauge: Gauge, fill: int = 0) -> None:
        self.model, self.table, self.gauge, self.fill = model, table, gauge, fill
        self._filling = model.fillings.get(fill)
        self._last: Prefill | None = None

    def prefill(self, prompt: tuple[int, ...]) -> Prefill:
        """Return a prompt with its K/V. Raises what running the model raises."""
        if self._last is None or self._last.prompt != prompt:
            self._last = None  # a failure must not leave another prompt's K/V
            self._last = self._run(prompt)
        return self._last

    def _run(self, prompt: tuple[int, ...]) -> Prefill:
        session = Session(self.model)
        session.feed(prompt[:-1])
        spans, filled = [], 0
        for index in range(len(self.model.segments)):
            begun = self.gauge.read()
            if len(prompt) > 1:
                if self._filling is not None and index == self._filling.segment:
                    filled = session.fill(self.fill)
                session.run(index, read=0)
            spans.append(self.gauge.between(begun, self.gauge.read()))
        return Prefill(session, prompt, tuple(spans), filled)

    def cost(self, prefill: Prefill, generation: Generation, span: Reading, *, drafts: bool) -> Cost:
        """Return what a generation took that has just run in the session of a prefill.

        With `drafts` the depths are those of drafts that full depth verified: without K/V nobody would run so.
        """
        reached = prefill.reached()
        before = len(prefill.prompt) - 1
        spans = [prefill.segments[index] for index in reached]
        counted = [span.joules, *(each.joules for each in spans)]
        joules = self._joules(prefill, reached, generation, drafts)
        return Cost(
            seconds_prefill=sum(each.seconds for each in spans) if before else 0.0,
            seconds_decode=span.seconds,
            counted_joules=None if None in counted else sum(each for each in counted if each is not None),
            source="unknown" if self.table is None else self.table.source,
            **joules,
        )

    def _work(self, prefill: Prefill, segment: int) -> Work:
        """Return what running a prompt through a segment was."""
        rows, layers, filling = len(prefill.prompt) - 1, self._layers(segment), self._filling
        if filling is None or not prefill.filled or segment < filling.segment:
            return rows_work(layers, rows)
        ran = rows_work(layers, FIRST_ROWS) + rows_work(layers, rows - FIRST_ROWS - prefill.filled)
        return ran + rows_work(filling.layers, prefill.filled) if segment == filling.segment else ran

    def _layers(self, segment: int) -> float:
        """Return how many layers a row of the prompt costs in a segment; nobody reads it behind the last one."""
        layers = self.model.segments[segment]
        return len(layers) - (1 - self.model.unread_share if layers and layers.stop == self.model.layers else 0)

    def _joules(
        self, prefill: Prefill, reached: Sequence[int], generation: Generation, drafts: bool
    ) -> dict[str, float | None]:
        table, model, prompt = self.table, self.model, prefill.prompt
        if table is None:
            return dict.fromkeys(
                (
                    "joules_prefill",
                    "joules_decode",
                    "joules_full",
                    "joules_decode_full",
                    "joules_uncached",
                    "joules_uncached_full",
                )
            )
        before, tokens = len(prompt) - 1, generation.tokens
        at_full_depth = [Token(token.id, model.layers) for token in tokens]
        # A step whose token is not in the text:
        unseen = generation.finish in (Finish.END_OF_TEXT, Finish.GAVE_UP, Finish.UNCERTAIN)
        full_decode = full_decode_joules(table, model.layers, len(tokens) + unseen)
        return {
            "joules_prefill": sum(table.joules(self._work(prefill, index)) for index in reached),
            "joules_decode": table.joules(Work(generation.work.layer_runs, generation.work.head_runs)),
            "joules_full": table.joules(rows_work(model.layers - 1 + model.unread_share, before)) + full_decode,
            "joules_decode_full": full_decode,
            "joules_uncached": None if drafts else uncached_joules(table, len(prompt), tokens, model),
            "joules_uncached_full": uncached_joules(table, len(prompt), at_full_depth, model),
        }
