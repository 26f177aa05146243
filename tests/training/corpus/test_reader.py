"""A corpus folder, written and read again."""

import errno
import json
import os
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from greencode_lsp.training.corpus import Corpus, CorpusError, CorpusPackage

TRAIN = CorpusPackage("alpha", "1.0", "pypi", "python", "MIT", "train")
HELD_OUT = CorpusPackage("beta", "2.0", "debian", "java", "Apache-2.0", "heldout")


def write(folder: Path, vocabulary: int = 100) -> Corpus:
    files: list[tuple[int, Any]] = [(0, [1, 2, 3]), (1, [4, 5]), (0, np.array([6, 7, 8, 9]))]
    return Corpus.write(folder, [TRAIN, HELD_OUT], files, vocabulary=vocabulary, more={"removed": {"too long": 2}})


def test_each_split_gives_back_its_files_in_order(tmp_path: Path) -> None:
    write(tmp_path)
    corpus = Corpus.open(tmp_path)
    assert [ids.tolist() for ids in corpus.files("train")] == [[1, 2, 3], [6, 7, 8, 9]]
    assert [ids.tolist() for ids in corpus.files("heldout")] == [[4, 5]]
    assert list(corpus.files("calibration")) == []
    assert corpus.file_packages("train").tolist() == [0, 0]
    assert corpus.file_packages("heldout").tolist() == [1]
    assert [(package.files, package.tokens) for package in corpus.packages] == [(2, 7), (1, 2)]
    assert corpus.tokens("train") == 7
    assert corpus.header["removed"] == {"too long": 2}


def test_the_files_are_those_of_the_contract(tmp_path: Path) -> None:
    write(tmp_path)
    assert (tmp_path / "tokens.bin").read_bytes() == np.arange(1, 10, dtype="<u2").tobytes()
    files = np.load(tmp_path / "files.npy")
    assert files.dtype == np.int64
    assert files.tolist() == [[0, 3, 0], [3, 2, 1], [5, 4, 0]]
    header = json.loads((tmp_path / "corpus.json").read_text(encoding="utf-8"))
    assert (header["format"], header["dtype"], header["vocabulary"]) == (1, "uint16", 100)
    assert header["packages"][1] == {
        "name": "beta",
        "version": "2.0",
        "registry": "debian",
        "language": "java",
        "licence": "Apache-2.0",
        "split": "heldout",
        "files": 1,
        "tokens": 2,
    }


def test_a_large_vocabulary_takes_four_bytes_a_token(tmp_path: Path) -> None:
    corpus = Corpus.write(tmp_path, [TRAIN], [(0, [0, 70_000, 128_255])], vocabulary=128_256)
    assert (tmp_path / "tokens.bin").stat().st_size == 12
    assert next(corpus.files("train")).tolist() == [0, 70_000, 128_255]


def test_an_id_outside_of_the_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vocabulary of 100"):
        Corpus.write(tmp_path, [TRAIN], [(0, [100])], vocabulary=100)
    assert not (tmp_path / "corpus.json").exists()


def test_a_corpus_may_be_empty(tmp_path: Path) -> None:
    assert list(Corpus.write(tmp_path, [], [], vocabulary=10).files("train")) == []


def test_a_folder_that_is_no_corpus_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"is no corpus, corpus\.json is missing: make it with"):
        Corpus.open(tmp_path)


@pytest.mark.parametrize("name", ["tokens.bin", "files.npy", "corpus.json"])
def test_a_torn_file_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-2])
    if name == "corpus.json":
        path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CorpusError, match=r"damaged|do not belong together") as caught:
        Corpus.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_unknown_split_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no split 'test', there are train, calibration, heldout"):
        list(write(tmp_path).files("test"))


def test_a_full_disk_is_one_line_and_leaves_the_old_corpus_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CorpusError, match=r"the disk of .* is full"):
        Corpus.write(tmp_path, [TRAIN], [(0, [1])], vocabulary=100)
    assert Corpus.open(tmp_path).tokens("train") == 7
