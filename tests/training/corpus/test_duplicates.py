"""Which files are the same file, and which only share an author."""

import hashlib
import inspect
import json.decoder
import textwrap
from types import ModuleType

import numpy as np
import pytest

from greencode_lsp.training.corpus.duplicates import Deduplicator, signature_of
from greencode_lsp.training.corpus.lexing import grams, lex, values_of

TEXTWRAP = inspect.getsource(textwrap)


def asked(seen: Deduplicator, text: str) -> str | None:
    return seen.duplicate(hashlib.sha256(text.encode()).hexdigest(), signature_of(values_of(lex(text, "python"))))


def test_a_file_that_was_seen_is_an_exact_duplicate() -> None:
    seen = Deduplicator()
    assert asked(seen, TEXTWRAP) is None
    assert asked(seen, TEXTWRAP) == "exact duplicate"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "# another comment\n" + text,
        lambda text: text.replace("chunks", "pieces"),
        lambda text: text + "\n\ndef more(text):\n    return wrap(text, width=40)\n",
    ],
    ids=["comment", "renamed", "longer"],
)
def test_a_file_with_small_changes_is_a_near_duplicate(change: object) -> None:
    assert callable(change)
    seen = Deduplicator()
    asked(seen, TEXTWRAP)
    assert asked(seen, change(TEXTWRAP)) == "near duplicate"


@pytest.mark.parametrize("other", [json.decoder, inspect], ids=lambda module: module.__name__)
def test_another_file_is_none(other: ModuleType) -> None:
    seen = Deduplicator()
    asked(seen, TEXTWRAP)
    assert asked(seen, inspect.getsource(other)) is None


def test_signatures_estimate_the_shared_part_of_the_runs() -> None:
    half = TEXTWRAP[: len(TEXTWRAP) * 2 // 3]
    runs = [set(grams(values_of(lex(text, "python")), 5).tolist()) for text in (TEXTWRAP, half)]
    truth = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
    signatures = [signature_of(values_of(lex(text, "python"))) for text in (TEXTWRAP, half)]
    assert 0.3 < truth < 0.9
    assert float(np.mean(signatures[0] == signatures[1])) == pytest.approx(truth, abs=0.12)
