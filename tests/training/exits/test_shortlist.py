"""Choosing the tokens that exits read, by counting a corpus."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from greencode_lsp.cli.main import app
from greencode_lsp.engine import EarlyExitModel, Request, Session, generate, load_backbone
from greencode_lsp.engine.exits import EXITS_FILE, load_exits
from greencode_lsp.policy import FixedExit
from greencode_lsp.training.corpus.reader import Corpus, CorpusPackage
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.curves import measure_curves
from greencode_lsp.training.exits.job import Job
from greencode_lsp.training.exits.shortlist import frequent_tokens, share_covered
from greencode_lsp.training.exits.training import train_exits
from greencode_lsp.training.material import open_corpus, split_windows
from greencode_lsp.training.progress import silent
from greencode_lsp.training.traces.texts import Choice

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    packages = [
        CorpusPackage(name, "1", "pypi", "python", "MIT", split)
        for name, split in (("one", "train"), ("two", "calibration"), ("three", "heldout"))
    ]
    files = [(0, np.array([7, 7, 7, 2, 2])), (0, np.array([2, 5, 7])), (1, np.array([9] * 9)), (2, np.array([7, 9]))]
    return Corpus.write(tmp_path / "corpus", packages, files, vocabulary=12)


def test_the_most_frequent_tokens_of_the_training_projects_come_first(corpus: Corpus) -> None:
    assert frequent_tokens(corpus, 12, 3).tolist() == [7, 2, 5]
    assert frequent_tokens(corpus, 12, 5).tolist() == [7, 2, 5, 0, 1]  # of equals the lowest id


def test_what_a_shortlist_covers_is_counted_elsewhere(corpus: Corpus) -> None:
    assert share_covered(corpus, "heldout", torch.tensor([7, 2])) == 0.5
    assert share_covered(corpus, "calibration", torch.tensor([7, 2])) == 0.0


@pytest.mark.parametrize("size", [0, 12, 500])
def test_a_shortlist_of_nothing_or_of_everything_is_refused(corpus: Corpus, size: int) -> None:
    with pytest.raises(TrainingError, match=rf"shortlist of {size} tokens.*fewer than the model's 12"):
        frequent_tokens(corpus, 12, size)


@pytest.mark.parametrize(("mode", "width"), [("frozen", 24), ("low-rank", 0)])
def test_a_recipe_with_a_shortlist_makes_exits_that_read_it_and_one_at_full_depth(
    job: Callable[..., Job], mode: str, width: int
) -> None:
    asked = job(shortlist=40, mode=mode, width=width)
    train_exits(asked, silent)
    backbone = load_backbone(asked.material.folder)
    heads = load_exits(asked.out / EXITS_FILE, backbone.shape, asked.material.identity)
    expected = frequent_tokens(open_corpus(asked.corpus, asked.material), 96, 40)
    assert list(heads) == [1, 2, 3, 4]
    assert all(head.shortlist is not None and torch.equal(head.shortlist, expected) for head in heads.values())
    assert heads[4].translator is None
    assert torch.equal(heads[4].norm.weight, backbone.weights.final_norm.weight)
    session = Session(EarlyExitModel(backbone, tuple(heads), heads))
    said = generate(session, Request([5, 6, 7], 8, FixedExit(4))).tokens
    assert {token.id for token in said} <= set(expected.tolist())


def test_exits_that_were_trained_without_get_a_shortlist_by_a_command(job: Callable[..., Job]) -> None:
    asked = job()
    train_exits(asked, silent)
    path, shape = asked.out / EXITS_FILE, load_backbone(asked.material.folder).shape
    before = load_exits(path, shape)
    about = ("--size", "40", "--model", str(asked.material.folder), "--json")
    result = CliRunner().invoke(app, ["train", "shortlist", str(asked.corpus), str(path), *about])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["exits"] == [1, 2, 3, 4]
    assert 0.3 < json.loads(result.stdout)["heldout_covered"] < 1.0
    after = load_exits(path, shape, asked.material.identity)
    for depth, head in before.items():
        assert head.translator is not None
        assert after[depth].translator is not None
        assert torch.equal(after[depth].translator.mlp_in.weight, head.translator.mlp_in.weight)


def test_curves_are_of_what_exits_say(job: Callable[..., Job]) -> None:
    """At full depth by the shortlist: right where the token is in it, and as perplexed as the whole head."""
    asked = job(shortlist=40)
    train_exits(asked, silent)
    backbone, corpus = load_backbone(asked.material.folder), open_corpus(asked.corpus, asked.material)
    heads = load_exits(asked.out / EXITS_FILE, backbone.shape)
    windows = split_windows(corpus, "heldout", Choice(1500, 64))
    *_, shortlisted, full = measure_curves(backbone, tuple(heads), heads, windows, asked.material.lead, silent)
    assert shortlisted.depth == full.depth == 4
    assert full.agreement == 1.0
    assert 0.2 < shortlisted.agreement < 0.95
    assert shortlisted.accuracy < full.accuracy
    assert shortlisted.perplexity == pytest.approx(full.perplexity)
