"""Rows of evaluation sets, in the forms that are about, as what must not be in the corpus."""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greencode_lsp.training.corpus.errors import CorpusError

_ENDINGS = (".jsonl", ".jsonl.gz")
_TAG = re.compile(r"</?s>|<EOL>")
_MASKED_STRING = re.compile(r"""[bruBRU]{0,2}('''|\"\"\"|'|")<(?:STR|CHAR)_LIT(?::.*?)?>\1?""", re.S)
_MASKED_NUMBER = re.compile(r"<NUM_LIT(?::.*?)?>")


@dataclass(frozen=True)
class EvaluationRow:
    """What a model is shown and what it is asked for, as one source text that ends with the answer.

    `whole` rows are short programs of which every part counts; of the others, cut out of long files, the last part.
    """

    text: str
    whole: bool
    project: str | None


@dataclass(frozen=True)
class EvaluationSet:
    """One file of rows; `sha256` is the file's."""

    name: str
    sha256: str
    rows: tuple[EvaluationRow, ...]


def read_evaluation_sets(paths: Iterable[Path]) -> list[EvaluationSet]:
    """Read .jsonl and .jsonl.gz files, and those of folders; raise `CorpusError` naming file, line and cure."""
    files: list[Path] = []
    for path in paths:
        inside = sorted(file for file in path.iterdir() if file.name.endswith(_ENDINGS)) if path.is_dir() else [path]
        if not inside:
            raise CorpusError(f"{path} holds no {' or '.join(_ENDINGS)} file to decontaminate against")
        files += inside
    return [_read(path) for path in dict.fromkeys(files)]


def _read(path: Path) -> EvaluationSet:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.name.endswith(".gz") else data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read as rows to decontaminate against: {error}") from error
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(_row(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise CorpusError(
                    f"{path}, line {number}: not a row with input and gt, prompt and target_line, "
                    "or prompt and canonical_solution"
                ) from None
    return EvaluationSet(path.name, hashlib.sha256(data).hexdigest(), tuple(dict.fromkeys(rows)))


def _row(values: dict[str, Any]) -> EvaluationRow:
    project = values["repo"].rpartition("/")[2] if values.get("repo") else None
    if "input" in values:
        return EvaluationRow(_unmasked(values["input"] + " " + values["gt"]), False, project)
    if "target_line" in values:
        return EvaluationRow(values["prompt"] + values["target_line"], False, project)
    return EvaluationRow(values["prompt"] + values["canonical_solution"] + values.get("suffix", ""), True, project)


def _unmasked(text: str) -> str:
    """Turn CodeXGLUE's tokens with masked literals into what lexes as the source did."""
    text = _MASKED_STRING.sub(' "" ', _TAG.sub(" ", text))
    return _MASKED_NUMBER.sub(" 0 ", text)
