"""Tables of n-grams on disk: what is written is read, and what cannot be used says so in one line."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from greencode_lsp.completion.loading import load_ngram_table
from greencode_lsp.engine import EngineError
from greencode_lsp.engine.drafts.ngrams import NGRAMS_FILE, Ngrams, NgramTable, load_ngrams, save_ngrams
from greencode_lsp.engine.identity import weights_identity
from greencode_lsp.models import find_bundle
from tests.engine.conftest import Twins


def small(vocabulary: int = 100) -> NgramTable:
    one = Ngrams(np.array([3, 7]), np.array([4, 8]), np.array([200, 90], np.uint8))
    three = Ngrams(np.array([(2 * vocabulary + 5) * vocabulary + 3]), np.array([6]), np.array([255], np.uint8))
    return NgramTable(vocabulary, {1: one, 3: three})


@pytest.mark.parametrize("vocabulary", [100, 200_000])
def test_a_table_is_read_as_it_was_written(tmp_path: Path, vocabulary: int) -> None:
    save_ngrams(tmp_path / NGRAMS_FILE, small(vocabulary))
    table = load_ngrams(tmp_path / NGRAMS_FILE, vocabulary + 20)
    assert table.likeliest([9, 3]) == (4, 200 / 255)
    assert table.likeliest([2, 5, 3]) == (6, 1.0)
    assert table.likeliest([5, 3]) == (4, 200 / 255)
    assert table.likeliest([3, 5]) is None


def refusal(path: Path, vocabulary: int = 100) -> str:
    with pytest.raises(EngineError) as raised:
        load_ngrams(path, vocabulary)
    message = str(raised.value)
    assert "\n" not in message and str(path) in message and "greencode train ngrams" in message
    return message


def test_what_cannot_be_used_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / NGRAMS_FILE
    save_ngrams(path, small())
    assert "is of 100 different tokens, this model has 50" in refusal(path, 50)
    path.write_bytes(path.read_bytes()[:60])
    assert "is not a readable table" in refusal(path)
    tensors: dict[str, NDArray[Any] | None] = {
        "runs.1": np.array([[3], [7]], np.uint16),
        "following.1": np.array([4, 8], np.uint16),
        "likely.1": np.array([200, 90], np.uint8),
    }
    wrong: dict[str, dict[str, NDArray[Any] | None]] = {
        "do not belong together": {"likely.1": np.array([1], np.uint8)},
        "outside of the vocabulary": {"following.1": np.array([4, 300], np.uint16)},
        "not in order": {"runs.1": np.array([[7], [3]], np.uint16)},
        "runs of [4] tokens": {"runs.4": np.zeros((1, 4), np.uint16), "runs.1": None},
        "'following.1'": {"following.1": None},
    }
    for why, changed in wrong.items():
        given = {name: value for name, value in {**tensors, **changed}.items() if value is not None}
        save_file(given, path, {"format": "1", "vocabulary": "100"})
        assert why in refusal(path)
    save_file(tensors, path, {"format": "2", "vocabulary": "100"})
    assert "has format 2" in refusal(path)
    save_file(tensors, path)
    assert "is not a readable table" in refusal(path)


def test_a_broken_table_is_done_without(twins: Twins, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = replace(find_bundle("smollm2-135m"), folder=tmp_path)
    assert load_ngram_table(bundle, twins.backbone) is None
    (tmp_path / NGRAMS_FILE).write_bytes(b"nothing")
    with caplog.at_level(logging.WARNING):
        assert load_ngram_table(bundle, twins.backbone) is None
    assert "is not a readable table" in caplog.text


def test_a_table_beside_weights_is_none_of_them(twins: Twins) -> None:
    before = weights_identity(twins.folder)
    path = twins.folder / NGRAMS_FILE
    save_ngrams(path, small())
    try:
        assert weights_identity(twins.folder) == before
    finally:
        path.unlink()
