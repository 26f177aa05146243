"""A file of results: a header, then one JSON line for each example, result and failure. A killed run goes on in it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.evaluation.runs.records import Cost, ExampleRecord, Failure, Forced, Result

FORMAT = 1

SETTINGS = "settings"
"""The part of a header that must be the same for a run to go on; the rest describes where it began."""


@dataclass
class Journal:
    """What a file of results holds. The last word counts: a result replaces an earlier failure."""

    header: dict[str, Any]
    examples: dict[str, ExampleRecord] = field(default_factory=dict)
    results: dict[tuple[str, str], Result] = field(default_factory=dict)
    failures: dict[tuple[str, str], Failure] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """What the results depend on."""
        settings: dict[str, Any] = self.header[SETTINGS]
        return settings


class JournalWriter:
    """Appends to a file of results; each line is on disk before the next begins."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Begin a file, or go on with one of the same settings; raise `EvaluationError` otherwise."""
        self.path = path
        begun = path.is_file() and path.stat().st_size > 0
        if begun:
            drop_unfinished_line(path)
            self.journal = read_journal(path)
            if other := differences(self.journal.settings, dict(header[SETTINGS])):
                raise EvaluationError(f"{path} was begun with another {other}; give another --out, or remove it")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.journal = Journal(dict(header))
        self._file = path.open("a", encoding="utf-8")
        if not begun:
            self._write({"kind": "header", "format": FORMAT, **header})

    def add_example(self, example: ExampleRecord) -> None:
        """Write an example, once."""
        if example.id not in self.journal.examples:
            self.journal.examples[example.id] = example
            self._write({"kind": "example", **asdict(example)})

    def add_result(self, result: Result) -> None:
        """Write a result."""
        self.journal.results[result.example, result.configuration] = result
        self._write({"kind": "result", **asdict(result)})

    def add_failure(self, failure: Failure) -> None:
        """Write a failure."""
        self.journal.failures[failure.example, failure.configuration] = failure
        self._write({"kind": "failure", **asdict(failure)})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()


def read_journal(path: Path) -> Journal:
    """Read a file of results, also one packed by gzip; raise `EvaluationError` in one line when it is none."""
    journal: Journal | None = None
    for number, record in _records(path):
        kind = record.pop("kind", None)
        try:
            if kind == "header" and record.pop("format") == FORMAT and isinstance(record[SETTINGS], dict):
                journal = Journal(record)
            elif journal is None:
                raise EvaluationError(f"{path} is no file of results: its first line is no header of this version")
            elif kind == "example":
                journal.examples[record["id"]] = ExampleRecord(**record)
            elif kind == "result":
                result = _result(record)
                journal.results[result.example, result.configuration] = result
                journal.failures.pop((result.example, result.configuration), None)
            elif kind == "failure":
                failure = Failure(**record)
                journal.failures[failure.example, failure.configuration] = failure
        except (KeyError, TypeError) as error:
            raise EvaluationError(f"{path}, line {number}: not a line of results ({error})") from error
    if journal is None:
        raise EvaluationError(f"{path} is empty; run the evaluation again")
    return journal


def merge_journals(journals: list[Journal], names: list[str]) -> Journal:
    """Return one journal of shards of one run; raise `EvaluationError` when their settings differ."""
    first = journals[0]
    for journal, name in zip(journals[1:], names[1:], strict=True):
        if other := differences(first.settings, journal.settings):
            raise EvaluationError(f"{name} and {names[0]} are not of one run: they have another {other}")
    merged = Journal(first.header)
    for journal in journals:
        merged.examples |= journal.examples
        merged.results |= journal.results
        merged.failures |= journal.failures
    return merged


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the names of settings that differ, as a text."""
    return ", ".join(sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)))


def drop_unfinished_line(path: Path) -> None:
    """Cut off what a killed run had begun to write."""
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if path.name.endswith(".gz") else data).decode("utf-8").split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} cannot be read as results: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            if number == len(lines):  # a killed run's last line
                return
            raise EvaluationError(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(record, dict):
            raise EvaluationError(f"{path}, line {number}: not a line of results")
        yield number, record


def _result(record: dict[str, Any]) -> Result:
    return Result(
        **{
            **record,
            "tokens": tuple((str(piece), int(depth)) for piece, depth in record["tokens"]),
            "cost": Cost(**record["cost"]),
            "forced": None if record["forced"] is None else Forced(**record["forced"]),
        }
    )
