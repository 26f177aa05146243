"""Asking at places as an editor does: a real server, a fresh document for each place, answers applied to the text."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lsprotocol import types

from greencode_lsp.completion.suggestion import Report
from greencode_lsp.evaluation.benchmark.editor import Editor, running_editor
from greencode_lsp.evaluation.benchmark.replay import text_of
from greencode_lsp.evaluation.benchmark.source_files import SourceFile
from greencode_lsp.evaluation.editing.places import EditPlace

TRIGGERS = {
    "automatic": types.InlineCompletionTriggerKind.Automatic,
    "explicit": types.InlineCompletionTriggerKind.Invoked,
}


@dataclass(frozen=True)
class AskOptions:
    """How to ask. `kinds` are names of `TRIGGERS`, asked one after the other at each place."""

    kinds: tuple[str, ...] = tuple(TRIGGERS)
    model: str = "smollm2-135m"
    profile: str = "auto"
    max_tokens: int = 48


@dataclass(frozen=True)
class Answer:
    """What was suggested at a place. `text` replaces the document from `start` to `end`, which are offsets.

    `text` is None where nothing was suggested; `after` is then the document as it was.
    """

    place: EditPlace
    kind: str
    text: str | None
    start: int
    end: int
    after: str
    latency_ms: float


def ask_places(places: Sequence[EditPlace], options: AskOptions, report: Report) -> list[Answer]:
    """Ask at every place, one after the other; raise `UserError` where the model cannot be loaded."""
    return asyncio.run(_ask_places(places, options, report))


async def _ask_places(places: Sequence[EditPlace], options: AskOptions, report: Report) -> list[Answer]:
    settings = {
        "model": options.model,
        "profile": options.profile,
        "maxTokens": options.max_tokens,
        "debounceMs": 0,
        "alternatives": 1,
    }
    answers: list[Answer] = []
    with tempfile.TemporaryDirectory() as data:
        async with running_editor(Path(data)) as editor:
            report("loading the model", 0, 1)
            await editor.start(settings)
            for done, place in enumerate(places):
                report("asking", done, len(places))
                editor.open(document_of(place, done), place.before)
                answers += [await ask(editor, place, kind) for kind in options.kinds]
                editor.close()
            report("asking", len(places), len(places))
    return answers


def document_of(place: EditPlace, number: int) -> SourceFile:
    """Return a document's name, which no other place's has, and its language."""
    return SourceFile(f"{number}/{PurePosixPath(place.path).name}", place.language_id, place.before)


async def ask(editor: Editor, place: EditPlace, kind: str) -> Answer:
    """Ask at the cursor of the open document and apply what is answered; raise what the server answers instead."""
    asked = editor.ask(place.cursor, TRIGGERS[kind])
    await asked.wait()
    item = asked.item
    if item is None:
        return Answer(place, kind, None, place.cursor, place.cursor, place.before, asked.latency_ms)
    start = end = place.cursor
    if item.range is not None:
        start, end = editor.offset(item.range.start), editor.offset(item.range.end)
    text = text_of(item)
    return Answer(place, kind, text, start, end, place.before[:start] + text + place.before[end:], asked.latency_ms)
