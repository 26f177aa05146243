"""Typing sessions against a real server: how long suggestions take, and what is computed for them."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from lsprotocol import types

from greencode_lsp.completion.suggestion import Report
from greencode_lsp.evaluation.benchmark.editor import Asked, Editor, running_editor
from greencode_lsp.evaluation.benchmark.source_files import SourceFile
from greencode_lsp.evaluation.benchmark.typist import Passage, Stroke, Typist, choose_passages

JOULES_PER_WATT_HOUR = 3600


@dataclass(frozen=True)
class ReplayOptions:
    """How to type, and on what. `speed` 2 types twice as fast; the server does not hear of it."""

    model: str = "smollm2-135m"
    profile: str = "auto"
    speed: float = 1.0
    seed: int = 0
    max_tokens: int = 48
    certainty: float = 10.0


@dataclass(frozen=True)
class Answer:
    """How long an answer took, and which completion it brought, if any."""

    latency_ms: float
    completion_id: str | None


@dataclass
class Counts:
    """What happened to the requests: each was either answered, or superseded by the next change before that."""

    requests: int = 0
    superseded: int = 0
    shown: int = 0
    accepted: int = 0
    characters_accepted: int = 0
    answers: list[Answer] = field(default_factory=list)


@dataclass(frozen=True)
class KeystrokeRow:
    """A replay at one debounce: milliseconds, or "auto".

    Latencies are those of answered requests, debounce included; `computed_p50_ms` and `computed_p95_ms` leave out what
    came from the cache. `tokens_computed` and `tokens_reused` are tokens of the prompts of completions that ran to the
    end: what a superseded one computed shows as reused in the next. Joules are those of all that ran.
    """

    debounce_ms: int | str
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    computed_p50_ms: float | None
    computed_p95_ms: float | None
    requests: int
    answered: int
    superseded: int
    shown: int
    accepted: int
    characters_accepted: int
    cached: int
    tokens_computed: int
    tokens_reused: int
    reuse_share: float | None
    joules_per_request: float | None
    joules_per_shown: float | None
    source: str | None


def replay(
    files: Sequence[SourceFile],
    options: ReplayOptions,
    debounce_ms: int | str,
    report: Report = lambda stage, done, total: None,
) -> KeystrokeRow:
    """Type in some files against a server of their own; raise `UserError` where the model cannot be loaded."""
    return asyncio.run(_replay(files, options, debounce_ms, report))


async def _replay(
    files: Sequence[SourceFile], options: ReplayOptions, debounce_ms: int | str, report: Report
) -> KeystrokeRow:
    counts = Counts()
    stage = f"typing, debounce {debounce_ms}"
    settings = {
        "model": options.model,
        "profile": options.profile,
        "debounceMs": debounce_ms,
        "maxTokens": options.max_tokens,
        "certainty": options.certainty,
    }
    with tempfile.TemporaryDirectory() as data:
        async with running_editor(Path(data)) as editor:
            await editor.start(settings)
            for done, file in enumerate(files):
                report(stage, done, len(files))
                await type_file(editor, file, options, counts)
            report(stage, len(files), len(files))
            watt_hours = await editor.watt_hours_today()
    return summarize(debounce_ms, counts, editor, watt_hours)


async def type_file(editor: Editor, file: SourceFile, options: ReplayOptions, counts: Counts) -> None:
    """Open a file without some passages, and type those: the cursor jumps from one to the next."""
    chance = random.Random(f"{options.seed} {file.name}")
    missing = choose_passages(file.text, chance)
    editor.open(file, without(file.text, missing))
    while missing:
        passage = missing.pop(0)
        cursor = passage.start - sum(len(other.text) for other in missing if other.start < passage.start)
        await type_passage(editor, cursor, Typist(passage.text, chance), options.speed, counts)
    editor.close()


async def type_passage(editor: Editor, cursor: int, typist: Typist, speed: float, counts: Counts) -> None:
    """Type one passage; each change that adds text asks, and ends the wait for the last answer."""
    asked: Asked | None = None
    while not typist.done:
        await asyncio.sleep(typist.pause_seconds() / speed)
        item = settle(editor, asked, counts)
        if item is not None and item.range == empty_range(item) and typist.takes(text_of(item)):
            counts.accepted += 1
            counts.characters_accepted += len(text_of(item))
            stroke = typist.accept(text_of(item))
            cursor = editor.change(cursor, stroke)
            await editor.tell_accepted(item)
        else:
            stroke = typist.next_stroke()
            cursor = editor.change(cursor, stroke)
        asked = ask(editor, cursor, stroke, counts)
    if asked is not None:
        await asked.wait()
        settle(editor, asked, counts)


def ask(editor: Editor, cursor: int, stroke: Stroke, counts: Counts) -> Asked | None:
    """Ask after a change that added text, as editors do; deleting asks for nothing."""
    if not stroke.typed:
        return None
    counts.requests += 1
    return editor.ask(cursor)


def settle(editor: Editor, asked: Asked | None, counts: Counts) -> types.InlineCompletionItem | None:
    """Return the suggestion that is on the screen, if any; a request without an answer is cancelled."""
    if asked is None:
        return None
    if not asked.answered:
        counts.superseded += 1
        editor.cancel(asked)
        return None
    item = asked.item
    counts.answers.append(Answer(asked.latency_ms, completion_id(item)))
    if item is not None:
        counts.shown += 1
        editor.tell_shown(item)
    return item


def completion_id(item: types.InlineCompletionItem | None) -> str | None:
    """Return the id of the completion that an item shows."""
    arguments = item.command.arguments if item is not None and item.command is not None else None
    return str(arguments[0]) if arguments else None


def text_of(item: types.InlineCompletionItem) -> str:
    """Return the text of a suggestion."""
    return item.insert_text if isinstance(item.insert_text, str) else item.insert_text.value


def empty_range(item: types.InlineCompletionItem) -> types.Range | None:
    """Return the range of an item that replaces nothing."""
    return types.Range(item.range.start, item.range.start) if item.range is not None else None


def without(text: str, passages: Sequence[Passage]) -> str:
    """Return a text from which passages are missing."""
    for passage in sorted(passages, key=lambda passage: passage.start, reverse=True):
        text = text[: passage.start] + text[passage.start + len(passage.text) :]
    return text


def summarize(debounce_ms: int | str, counts: Counts, editor: Editor, watt_hours: float | None) -> KeystrokeRow:
    """Put together what was counted here and what the server told."""
    computed = [note for note in editor.energy if not note.cached]
    fed, reused = (sum(getattr(note, name) for note in computed) for name in ("promptTokens", "reusedTokens"))
    joules = None if watt_hours is None else watt_hours * JOULES_PER_WATT_HOUR
    from_cache = {note.completionId for note in editor.energy if note.cached}
    p50, p95 = percentiles([answer.latency_ms for answer in counts.answers])
    computed_p50, computed_p95 = percentiles(
        [answer.latency_ms for answer in counts.answers if answer.completion_id not in from_cache]
    )
    return KeystrokeRow(
        debounce_ms=debounce_ms,
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        computed_p50_ms=computed_p50,
        computed_p95_ms=computed_p95,
        requests=counts.requests,
        answered=len(counts.answers),
        superseded=counts.superseded,
        shown=counts.shown,
        accepted=counts.accepted,
        characters_accepted=counts.characters_accepted,
        cached=len(editor.energy) - len(computed),
        tokens_computed=fed,
        tokens_reused=reused,
        reuse_share=reused / (fed + reused) if fed + reused else None,
        joules_per_request=joules / counts.requests if joules is not None and counts.requests else None,
        joules_per_shown=joules / counts.shown if joules is not None and counts.shown else None,
        source=computed[-1].source if computed else None,
    )


def percentiles(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the 50th and the 95th percentile."""
    if len(values) < 2:
        return (values[0], values[0]) if values else (None, None)
    hundredths = quantiles(values, n=100, method="inclusive")
    return hundredths[49], hundredths[94]
