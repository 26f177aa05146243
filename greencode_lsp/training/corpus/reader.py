"""A corpus folder: `corpus.json`, `tokens.bin` and `files.npy`, read memory-mapped and written whole or not at all."""

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.training.corpus.errors import CorpusError

FORMAT = 1
SPLITS = ("train", "calibration", "heldout")
HEADER_FILE, TOKENS_FILE, FILES_FILE = "corpus.json", "tokens.bin", "files.npy"

Ids = NDArray[np.uint16] | NDArray[np.uint32]


@dataclass(frozen=True)
class CorpusPackage:
    """One project of a corpus. `files` and `tokens` count what of it is inside; `Corpus.write` fills them in."""

    name: str
    version: str
    registry: str
    language: str
    licence: str
    split: str
    files: int = 0
    tokens: int = 0


class Corpus:
    """Token ids of source files, file after file. No special tokens: whoever trains adds what the model wants."""

    def __init__(self, folder: Path, header: dict[str, Any], ids: Ids, files: NDArray[np.int64]) -> None:
        self.folder = folder
        self.header = header
        self.packages = tuple(CorpusPackage(**package) for package in header["packages"])
        self.tokenizer_sha256: str = header["tokenizer_sha256"]
        self.vocabulary: int = header["vocabulary"]
        self._ids = ids  # [tokens]
        self._files = files  # [files, 3]: start, length, package

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """Open a folder that `Corpus.write` has made; raise `CorpusError` when it is none or not whole."""
        again = "make it with: greencode train corpus"
        try:
            header = json.loads((folder / HEADER_FILE).read_text(encoding="utf-8"))
            if header["format"] != FORMAT:
                raise CorpusError(f"{folder} has corpus format {header['format']}, this is {FORMAT}: {again}")
            files = np.load(folder / FILES_FILE, allow_pickle=False)
            dtype = {"uint16": "<u2", "uint32": "<u4"}[header["dtype"]]
            size = (folder / TOKENS_FILE).stat().st_size
            ids: Any = np.memmap(folder / TOKENS_FILE, dtype, "r") if size else np.empty(0, dtype)
            if files.ndim != 2 or files.shape[1] != 3 or files.dtype != np.int64 or int(files[:, 1].sum()) != len(ids):
                raise CorpusError(f"{folder}: {TOKENS_FILE} and {FILES_FILE} do not belong together: {again}")
            return cls(folder, header, ids, files)
        except FileNotFoundError as error:
            name = Path(error.filename or HEADER_FILE).name
            raise CorpusError(f"{folder} is no corpus, {name} is missing: {again}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorpusError(f"{folder} holds a damaged corpus: {again} ({error})") from error

    @cached_property
    def identity(self) -> str:
        """A sha256 over the files' places and tokens."""
        return hashlib.sha256(self._files.tobytes() + self._ids.tobytes()).hexdigest()

    def files(self, split: str) -> Iterator[Ids]:
        """Yield the ids of each file of `split`, in the order of the folder; memory-mapped, not to be written to."""
        for start, length, _ in self._rows(split):
            yield self._ids[start : start + length]

    def file_packages(self, split: str) -> NDArray[np.int64]:
        """Return for each file of `split`, in the order of `files`, its index into `packages`."""
        return self._rows(split)[:, 2].copy()

    def tokens(self, split: str) -> int:
        """Return how many tokens `split` holds."""
        return int(self._rows(split)[:, 1].sum())

    @staticmethod
    def write(
        folder: Path,
        packages: Sequence[CorpusPackage],
        files: Iterable[tuple[int, Sequence[int] | NDArray[Any]]],
        *,
        vocabulary: int,
        tokenizer_sha256: str = "",
        more: Mapping[str, Any] | None = None,
    ) -> "Corpus":
        """Write a corpus and open it. `files` gives package indices and the ids of files; `more` goes into the header.

        A reader finds the old corpus, none, or the new one, never a mixture. Raises `CorpusError` for a full disk.
        """
        dtype = "uint16" if vocabulary <= 1 << 16 else "uint32"
        rows: list[tuple[int, int, int]] = []
        start = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _unfinished(folder / TOKENS_FILE).open("wb") as file:
                for package, values in files:
                    ids = np.asarray(values, dtype=np.int64)
                    if ids.size and not 0 <= ids.min() <= ids.max() < vocabulary:
                        raise ValueError(f"ids outside of the vocabulary of {vocabulary}")
                    file.write(ids.astype("<u2" if dtype == "uint16" else "<u4").tobytes())
                    rows.append((start, len(ids), package))
                    start += len(ids)
                file.flush()
                os.fsync(file.fileno())
            table = np.array(rows, dtype=np.int64).reshape(-1, 3)
            with _unfinished(folder / FILES_FILE).open("wb") as file:
                np.save(file, table, allow_pickle=False)
            header = {
                "format": FORMAT,
                "tokenizer_sha256": tokenizer_sha256,
                "vocabulary": vocabulary,
                "dtype": dtype,
                "packages": [asdict(_counted(package, table, index)) for index, package in enumerate(packages)],
                **(more or {}),
            }
            text = json.dumps(header, indent=1, ensure_ascii=False) + "\n"
            _unfinished(folder / HEADER_FILE).write_text(text, encoding="utf-8")
            (folder / HEADER_FILE).unlink(missing_ok=True)
            for name in (TOKENS_FILE, FILES_FILE, HEADER_FILE):
                os.replace(_unfinished(folder / name), folder / name)
        except OSError as error:
            raise disk_error(error, folder) from error
        finally:
            for name in (TOKENS_FILE, FILES_FILE, HEADER_FILE):
                _unfinished(folder / name).unlink(missing_ok=True)
        return Corpus.open(folder)

    def _rows(self, split: str) -> NDArray[np.int64]:
        if split not in SPLITS:
            raise CorpusError(f"no split {split!r}, there are {', '.join(SPLITS)}")
        wanted = [index for index, package in enumerate(self.packages) if package.split == split]
        return self._files[np.isin(self._files[:, 2], wanted)]


def disk_error(error: OSError, folder: Path) -> Exception:
    """Return the one line for a disk that is full or refuses to be written to; other errors as they are."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CorpusError(f"the disk of {folder} is full: free some space and run the same command again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return CorpusError(f"cannot write to {folder} ({error.strerror}): name another folder")
    return error


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _counted(package: CorpusPackage, table: NDArray[np.int64], index: int) -> CorpusPackage:
    lengths = table[table[:, 2] == index, 1]
    return replace(package, files=len(lengths), tokens=int(lengths.sum()))
