"""One package, from its archive to token ids: filtered, decontaminated, and kept so that a killed run goes on."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.training.corpus.archives import source_files
from greencode_lsp.training.corpus.decontamination import Decontaminator
from greencode_lsp.training.corpus.duplicates import signature_of
from greencode_lsp.training.corpus.filters import UnwantedFileError, clean
from greencode_lsp.training.corpus.lexing import lex, values_of
from greencode_lsp.training.corpus.package_list import PinnedPackage

VERSION = 1
"""Raise it when the same archive would be prepared in another way: what older runs kept is then made again."""

_BATCH = 64


@dataclass(frozen=True)
class Prepared:
    """Files of one package, in the order in which they are to be taken, and counts of those dropped, by reason."""

    ids: list[NDArray[np.uint32]]
    digests: list[str]
    signatures: list[NDArray[np.uint32]]
    dropped: Counter[str]


def prepare(package: PinnedPackage, archive: Path, tokenizer: Any, rows: Decontaminator, enough: int) -> Prepared:
    """Turn files of an archive into token ids until there are `enough`; raise `CorpusError` for a damaged archive."""
    prepared = Prepared([], [], [], Counter())
    tokens = 0
    files = source_files(archive, package)
    for start in range(0, len(files), _BATCH):
        if tokens >= enough:
            break
        texts = []
        for file in files[start : start + _BATCH]:
            try:
                text = clean(file.data, package.language)
                values = values_of(lex(text, package.language))
                if rows.overlaps(values, package.language):
                    raise UnwantedFileError("evaluation overlap")
            except UnwantedFileError as reason:
                prepared.dropped[str(reason)] += 1
                continue
            texts.append(text)
            prepared.digests.append(hashlib.sha256(text.encode()).hexdigest())
            prepared.signatures.append(signature_of(values))
        for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
            prepared.ids.append(np.array(encoding.ids, dtype=np.uint32))
            tokens += len(encoding.ids)
    return prepared


def key_of(package: PinnedPackage, tokenizer_sha256: str, evaluation: Sequence[str], enough: int) -> str:
    """Return a sha256 over all that decides what `prepare` gives."""
    described = [VERSION, asdict(package) | {"split": ""}, tokenizer_sha256, sorted(evaluation), enough]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()


def save(prepared: Prepared, key: str, path: Path) -> None:
    """Write a prepared package; the file appears whole or not at all."""
    lengths = [len(ids) for ids in prepared.ids]
    header = {"key": key, "lengths": lengths, "digests": prepared.digests, "dropped": prepared.dropped}
    unfinished = path.with_name(path.name + ".part")
    try:
        with unfinished.open("wb") as file:
            np.savez(
                file,
                header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
                ids=np.concatenate([np.empty(0, np.uint32), *prepared.ids]),
                signatures=np.array(prepared.signatures, dtype=np.uint32),
            )
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: Path, key: str) -> Prepared | None:
    """Read what `save` wrote; None when it is not there, damaged, or made from something else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            header = json.loads(arrays["header"].tobytes())
            if header["key"] != key:
                return None
            ids = np.split(arrays["ids"], np.cumsum(header["lengths"])[:-1]) if header["lengths"] else []
            return Prepared(ids, header["digests"], list(arrays["signatures"]), Counter(header["dropped"]))
    except Exception:  # numpy and zipfile raise many kinds for a damaged file; it is made again
        return None
