"""Running all configurations on all examples, in turns, into a file of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from greencode_lsp.completion.fitting import Cursor, fit
from greencode_lsp.completion.stops import first_end, stop_rules
from greencode_lsp.completion.suggestion import Report
from greencode_lsp.completion.tokenizer import CodeTokenizer
from greencode_lsp.engine import EngineError
from greencode_lsp.evaluation.codexglue.lines import line_tokens
from greencode_lsp.evaluation.execution.sandbox import Sandbox
from greencode_lsp.evaluation.runs.decoding import Configuration, Decoded
from greencode_lsp.evaluation.runs.journal import Journal, JournalWriter
from greencode_lsp.evaluation.runs.records import ExampleRecord, Failure, Result
from greencode_lsp.evaluation.runs.shards import Shard
from greencode_lsp.evaluation.suites.example import Ending, Example
from greencode_lsp.evaluation.suites.suite import Examples

TAIL_CHARACTERS = 160


def run(
    suite: Examples,
    configurations: Sequence[Configuration],
    tokenizer: CodeTokenizer,
    header: dict[str, Any],
    out: Path,
    shard: Shard,
    report: Report,
) -> Journal:
    """Run what is missing in a file of results, example by example; return what the file then holds.

    The configurations take turns in going first, so that none is always the one that finds caches warm.
    """
    writer = JournalWriter(out, header)
    runner = _Runner(suite, tokenizer, writer)
    examples = suite.examples[shard.index :: shard.count]
    try:
        for done, example in enumerate(examples):
            report("evaluating", done, len(examples))
            runner.run(example, rotated(configurations, done))
        report("evaluating", len(examples), len(examples))
    finally:
        writer.close()
    return writer.journal


def rotated(configurations: Sequence[Configuration], turn: int) -> list[Configuration]:
    """Return the configurations with another one first at each turn, and peers last: they do as much as `full` did."""
    own = [each for each in configurations if each.kind != "peer"]
    peers = [each for each in configurations if each.kind == "peer"]
    first = turn % len(own)
    return [*own[first:], *own[:first], *peers]


class _Runner:
    def __init__(self, suite: Examples, tokenizer: CodeTokenizer, writer: JournalWriter) -> None:
        self._suite, self._tokenizer, self._writer = suite, tokenizer, writer
        self._sandbox = Sandbox()

    def run(self, example: Example, configurations: Sequence[Configuration]) -> None:
        """Run the configurations that have no result for an example."""
        known = self._writer.journal.results
        missing = [each for each in configurations if (example.id, each.name) not in known]
        if not missing:
            return
        self._writer.add_example(self._record(example))
        passed: dict[str, bool] = {}
        for each in missing:
            full = known.get((example.id, "full"))
            try:
                decoded = each.decoder.decode(example, None if full is None else len(full.tokens))
                self._writer.add_result(self._result(example, each, decoded, passed))
            except (EngineError, RuntimeError) as error:
                cause = str(error).strip().split("\n", 1)[0]
                self._writer.add_failure(Failure(example.id, each.name, f"row {example.row}: {cause}"))

    def _record(self, example: Example) -> ExampleRecord:
        return ExampleRecord(
            id=example.id,
            row=example.row,
            cluster=example.cluster,
            language=example.language,
            reference=example.reference,
            tail=example.before.rsplit("\n", 1)[-1][-TAIL_CHARACTERS:],
            prompt_tokens=len(example.prompt),
            target_tokens=len(example.target),
            was_cut=example.was_cut,
            gold=example.gold,
        )

    def _result(
        self, example: Example, configuration: Configuration, decoded: Decoded, passed: dict[str, bool]
    ) -> Result:
        ids = [token.id for token in decoded.tokens]
        whole = self._tokenizer.decode(ids)
        text = whole[: example.end(whole)]
        if example.check is not None and text not in passed:
            passed[text] = self._sandbox.passes(example.check.program(text))
        gold_text = None
        if example.gold is not None:
            gold_text = " ".join(line_tokens(text, example.language, self._suite.literals))
        return Result(
            example=example.id,
            configuration=configuration.name,
            text=text,
            shown=text if example.ending is Ending.TOKENS else shown(text, example.before, example.language),
            tokens=self._pieces(decoded),
            finish=decoded.finish,
            cost=decoded.cost,
            forced=decoded.forced,
            gold_text=gold_text,
            passed=passed.get(text) if example.check is not None else None,
            guessed=sum(token.guessed for token in decoded.tokens),
        )

    def _pieces(self, decoded: Decoded) -> tuple[tuple[str, int], ...]:
        """Cut a text into what each token brought; half a character is brought by the token that completes it."""
        pieces, before = [], ""
        ids: list[int] = []
        for token in decoded.tokens:
            ids.append(token.id)
            text = self._tokenizer.decode(ids)
            pieces.append((text[len(before) :], token.exit_layer))
            before = text
        return tuple(pieces)


def shown(text: str, before: str, language: str) -> str:
    """Return what the language server would make of a line: cut where it repeats itself, and fitted to the text."""
    cursor = Cursor(before, "", language)
    return fit(text[: first_end(stop_rules(cursor, "never"), text)], cursor).text
