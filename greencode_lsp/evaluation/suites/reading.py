"""Rows from files and from the Hugging Face hub, each with its number."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greencode_lsp.errors import installing
from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.evaluation.suites.example import RowError

ENDINGS = (".jsonl.gz", ".jsonl")


@dataclass(frozen=True)
class HubSet:
    """A data set on the hub. The hub keeps a copy of every set as parquet, also of those that come with a script."""

    repository: str
    configuration: str
    split: str
    revision: str = "refs/convert/parquet"


@dataclass(frozen=True)
class Row:
    """A row by its number, from 1: its fields, or None where it could not be read, and then why."""

    number: int
    values: dict[str, Any] | None
    cause: str = ""


def find_file(folder: Path, name: str) -> Path:
    """Return the file of that name with one of the endings; raise `EvaluationError` naming the cure."""
    for ending in ENDINGS:
        if (path := folder / (name + ending)).is_file():
            return path
    raise EvaluationError(f"{folder} has no {name}{ENDINGS[0]}; give the folder with the data sets by --data")


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file of JSON lines; raise `EvaluationError` when the file itself cannot be read."""
    try:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if path.name.endswith(".gz") else data).split(b"\n")
    except (OSError, EOFError) as error:
        raise EvaluationError(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _parse(number, line)


def _parse(number: int, line: bytes) -> Row:
    try:
        values = json.loads(line.decode("utf-8"))
    except ValueError as error:
        return Row(number, None, f"not JSON: {error}")
    return Row(number, values) if isinstance(values, dict) else Row(number, None, "not a JSON object")


def read_hub(source: HubSet) -> Iterator[Row]:
    """Yield the rows of a set on the hub; raise `EvaluationError` in one line when it cannot be had."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise EvaluationError(f"without --data the rows come from the hub; {installing('eval')}") from error
    try:
        rows = load_dataset(
            source.repository, source.configuration, split=source.split, revision=source.revision, streaming=True
        )
        for number, values in enumerate(rows, 1):
            yield Row(number, dict(values))
    except Exception as error:  # whatever the library and the network raise, there are no rows
        line = str(error).strip().split("\n", 1)[0]
        raise EvaluationError(
            f"{source.repository} cannot be loaded from the hub ({line}); give a folder with the data sets by --data"
        ) from error


def text_of(values: dict[str, Any], field: str) -> str:
    """Return a field that must be a text; raise `RowError`."""
    value = values.get(field)
    if not isinstance(value, str):
        raise RowError(f"{field!r} is missing" if value is None else f"{field!r} is not a text")
    return value


def file_digest(path: Path) -> str:
    """Return a file's sha256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
