"""Places in real files at which a person may be writing: cut by chance, the same ones for the same seed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import cycle

from greencode_lsp.completion.suggestion import Report
from greencode_lsp.evaluation.editing.cuts import KINDS, Cut
from greencode_lsp.evaluation.editing.languages import LANGUAGES
from greencode_lsp.evaluation.editing.marks import read_syntax
from greencode_lsp.evaluation.editing.source import Source
from greencode_lsp.evaluation.editing.sources import EditedFile
from greencode_lsp.evaluation.editing.style import indents_by, line_ends, with_indentation, with_line_ends
from greencode_lsp.evaluation.errors import EvaluationError

TRIES = 60
"""How often a kind of place is looked for before it is taken to be rare in a language."""

MOST_FILES = 60
"""Files of a language that are read: more would only take longer."""

NO_TABS = ("yaml",)
"""Languages in which tabs cannot indent."""

LINE_ENDS = {"lf": "\n", "crlf": "\r\n"}


@dataclass(frozen=True)
class PlaceOptions:
    """How many places, and of what. `line_ends`: keep, lf or crlf; `indentation`: keep, tabs or spaces."""

    count: int = 500
    seed: int = 0
    line_ends: str = "keep"
    indentation: str = "keep"
    languages: tuple[str, ...] = LANGUAGES


@dataclass(frozen=True)
class EditPlace:
    """A document with a cursor, an offset in characters.

    `before` holds what the editor has `closed` behind the cursor; `removed` is what the file has there.
    """

    kind: str
    variant: str
    language: str
    language_id: str
    grammar: str
    project: str
    path: str
    before: str
    cursor: int
    closed: str
    removed: str


def cut_places(files: Sequence[EditedFile], options: PlaceOptions, report: Report) -> list[EditPlace]:
    """Cut places, spread evenly over the languages and then over kinds and projects.

    Only files without syntax errors are taken: in others nobody can tell what a suggestion broke. Raises
    `EvaluationError` where no place can be cut.
    """
    languages = [language for language in options.languages if any(file.type.language == language for file in files)]
    places: list[EditPlace] = []
    for done, language in enumerate(languages):
        report("cutting places", done, len(languages))
        share = options.count * (done + 1) // len(languages) - options.count * done // len(languages)
        chance = random.Random(f"{options.seed} {language}")
        sources = ready_sources([file for file in files if file.type.language == language], options, chance)
        first = done * share % len(KINDS)
        places += cut_language(sources, share, chance, [*KINDS][first:] + [*KINDS][:first])
    report("cutting places", len(languages), len(languages))
    if not places:
        raise EvaluationError("no place could be cut: the files have syntax errors, or are too short")
    return places


def ready_sources(files: Sequence[EditedFile], options: PlaceOptions, chance: random.Random) -> list[Source]:
    """Return files without errors, in an order in which projects take turns."""
    by_project: dict[str, list[EditedFile]] = {}
    for file in chance.sample(files, len(files)):
        by_project.setdefault(file.project, []).append(file)
    ordered = [file for _, file in sorted(_turns(by_project), key=lambda turn: turn[0])]
    sources: list[Source] = []
    for file in ordered:
        source = prepare(file, options)
        if source is not None:
            sources.append(source)
        if len(sources) == MOST_FILES:
            break
    return sources


def _turns(by_project: dict[str, list[EditedFile]]) -> list[tuple[tuple[int, str], EditedFile]]:
    return [((turn, name), file) for name, files in by_project.items() for turn, file in enumerate(files)]


def prepare(file: EditedFile, options: PlaceOptions) -> Source | None:
    """Return a file with the wanted line ends and indentation, None where it has errors or mixed line ends."""
    text = file.text
    if options.line_ends != "keep":
        text = with_line_ends(text, LINE_ENDS[options.line_ends])
    if len(line_ends(text)) > 1:
        return None
    reading = read_syntax(text, file.type.grammar)
    wanted = options.indentation
    if wanted != "keep" and wanted != indents_by(reading) and not (wanted == "tabs" and file.type.language in NO_TABS):
        text = with_indentation(reading, wanted)
        reading = read_syntax(text, file.type.grammar)
    if reading.errors or reading.unmatched:
        return None
    return Source(file.project, file.path, file.type, reading)


def cut_language(
    sources: Sequence[Source], count: int, chance: random.Random, order: Sequence[str] = tuple(KINDS)
) -> list[EditPlace]:
    """Cut so many places of one language; kinds take turns, and projects within them."""
    places: dict[tuple[str, str, int, str], EditPlace] = {}
    misses = dict.fromkeys(KINDS, 0)
    kinds = cycle(order)
    turns = {kind: cycle(sources) for kind in KINDS}
    while sources and len(places) < count and any(missed < TRIES for missed in misses.values()):
        kind = next(kinds)
        while misses[kind] < TRIES:
            source = next(turns[kind])
            cut = KINDS[kind](source, chance)
            place = place_of(source, kind, cut) if cut is not None else None
            key = (source.project, source.path, place.cursor, place.before) if place is not None else None
            if place is None or key is None or key in places:
                misses[kind] += 1
                continue
            places[key], misses[kind] = place, 0
            break
    return list(places.values())


def place_of(source: Source, kind: str, cut: Cut) -> EditPlace:
    """Return the document that a cut leaves."""
    text, found = source.text, source.type
    before = text[: cut.start] + cut.typed + cut.closed + text[cut.end :]
    return EditPlace(
        kind,
        cut.variant,
        found.language,
        found.language_id,
        found.grammar,
        source.project,
        source.path,
        before,
        cut.start + len(cut.typed),
        cut.closed,
        text[cut.start : cut.end],
    )


def digest(places: Sequence[EditPlace]) -> str:
    """Return a checksum of places: two runs with the same one were asked the same."""
    return hashlib.sha256(json.dumps([asdict(place) for place in places]).encode()).hexdigest()
