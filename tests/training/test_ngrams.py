"""What mostly follows runs of tokens, counted in a corpus: what of it is listed."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from greencode_lsp.cli.main import app
from greencode_lsp.engine import EarlyExitModel, Request, Session, generate, load_backbone
from greencode_lsp.engine.drafts.ngrams import CERTAIN, LEAST_LIKELY, NGRAMS_FILE, load_ngrams
from greencode_lsp.models import find_bundle
from greencode_lsp.training.corpus.reader import Corpus, CorpusPackage
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.ngrams import DOUBT, LEAST_SEEN, NEWS, count_ngrams
from greencode_lsp.training.progress import silent
from tests.training.tiny import VOCABULARY, write_corpus


def corpus_of(folder: Path, *texts: list[int], vocabulary: int = 50) -> Corpus:
    package = CorpusPackage("one", "1", "pypi", "python", "MIT", "train")
    other = CorpusPackage("two", "1", "pypi", "python", "MIT", "heldout")
    files: list[tuple[int, NDArray[np.int64]]] = [(0, np.array(text)) for text in texts]
    return Corpus.write(folder, [package, other], [*files, (1, np.array([9] * 500))], vocabulary=vocabulary)


def test_what_mostly_follows_is_listed_with_how_likely_it_is(tmp_path: Path) -> None:
    table = count_ngrams(corpus_of(tmp_path, *[[1, 2]] * 30, *[[1, 3]] * 10, [4, 5, 6]), silent)
    found = table.likeliest([7, 1])
    assert found is not None
    assert found[0] == 2
    assert found[1] == pytest.approx((30 - DOUBT) / (40 + DOUBT), abs=1 / CERTAIN)
    assert table.likeliest([1, 7]) is None
    assert table.likeliest([4]) is None, "seen once"
    assert table.likeliest([9]) is None, "of another split"
    assert table.likeliest([]) is None


def test_nothing_follows_across_files(tmp_path: Path) -> None:
    table = count_ngrams(corpus_of(tmp_path, *[[1, 2]] * 30, *[[3]] * 5), silent)
    assert table.likeliest([2]) is None


def test_a_longer_run_is_listed_where_it_says_more(tmp_path: Path) -> None:
    texts = [[1, 2, 3]] * 40 + [[4, 2, 5]] * 30 + [[6, 2, 3]] * 40
    table = count_ngrams(corpus_of(tmp_path, *texts), silent)
    assert [(table.likeliest(run) or (0,))[0] for run in ([2], [1, 2], [4, 2], [6, 2])] == [3, 3, 5, 3]
    assert NEWS < 1 - 80 / 110, "so much surer than by the last token alone"
    assert len(table.runs[2].keys) == 3


def test_a_longer_run_that_is_unsure_keeps_a_shorter_one_from_being_believed(tmp_path: Path) -> None:
    unsure = [[8, 2, 20 + index] for index in range(20)]
    table = count_ngrams(corpus_of(tmp_path, *[[1, 2, 3]] * 60, *unsure), silent)
    assert table.likeliest([2]) == table.likeliest([5, 2])
    assert table.likeliest([8, 2]) is None


def test_every_entry_is_what_counting_finds(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, 400)
    table = count_ngrams(corpus, silent)
    counts = {length: Counter[tuple[int, ...]]() for length in range(1, 5)}
    for ids in corpus.files("train"):
        text = [int(token) for token in ids]
        for length in counts:
            counts[length].update(tuple(text[place : place + length]) for place in range(len(text) - length + 1))
    listed = 0
    for length, runs in table.runs.items():
        for key, following, likely in zip(runs.keys.tolist(), runs.following, runs.likely, strict=True):
            run = tuple(key // VOCABULARY**place % VOCABULARY for place in reversed(range(length)))
            followed = {token: counts[length + 1][(*run, token)] for token in range(VOCABULARY)}
            seen, most = sum(followed.values()), max(followed.values())
            assert seen >= LEAST_SEEN[length]
            assert followed[following] == most
            assert likely == pytest.approx(CERTAIN * (most - DOUBT) / (seen + DOUBT), abs=1)
            listed += 1
    assert listed > 60
    assert all((np.diff(runs.keys) > 0).all() for runs in table.runs.values())


def test_too_little_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nothing comes often enough in its training split"):
        count_ngrams(corpus_of(tmp_path, [1, 2, 3]), silent)


def test_the_command_writes_a_table_that_guesses(model_folders: Callable[[str], Path], tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", 400)
    model = model_folders("llama")
    run = CliRunner().invoke(
        app, ["train", "ngrams", str(tmp_path / "corpus"), str(tmp_path / "new"), "--model", str(model), "--json"]
    )
    assert run.exit_code == 0, run.output
    said = json.loads(run.stdout)
    table = load_ngrams(tmp_path / "new" / NGRAMS_FILE, VOCABULARY)
    assert said["runs"] == {str(length): len(runs.keys) for length, runs in table.runs.items()}
    assert all(table.likeliest([token]) for token in (4, 6, 8)), "even tokens decide what follows"
    opened = EarlyExitModel(load_backbone(model))
    prompt = [11, 4]
    plain = generate(Session(opened), Request(prompt, 24, guessing=True))
    opened.ngrams = table
    guessed = generate(Session(opened), Request(prompt, 24, guessing=True))
    assert [token.id for token in guessed.tokens] == [token.id for token in plain.tokens]
    assert sum(token.guessed for token in guessed.tokens) > sum(token.guessed for token in plain.tokens)


def test_the_default_bundles_table_knows_code() -> None:
    table = load_ngrams(find_bundle("smollm2-135m").folder / NGRAMS_FILE, 49_152)
    assert table.vocabulary == 49_152
    assert {length: len(runs.keys) for length, runs in table.runs.items()} == {1: 19_722, 2: 94_840, 3: 25_978}
    likely = np.concatenate([runs.likely for runs in table.runs.values()])
    assert (likely >= LEAST_LIKELY * CERTAIN).mean() > 0.9
