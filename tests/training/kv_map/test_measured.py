"""What is measured of a map of keys and values."""

from pathlib import Path

import pytest
import torch

from greencode_lsp.engine import EarlyExitModel, load_backbone
from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.kv_map import KvMap
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.kv_map.measured import FilledWindow, measure_filling, read_logits, summary
from greencode_lsp.training.material import Material, open_corpus, split_windows
from greencode_lsp.training.progress import silent
from greencode_lsp.training.traces.texts import Choice

pytestmark = pytest.mark.usefixtures("one_thread")


def test_tokens_behind_near_rows_are_counted_with_and_without_filling(material: Material, corpus_folder: Path) -> None:
    backbone = load_backbone(material.folder)
    windows = split_windows(open_corpus(corpus_folder, material), "heldout", Choice(1500, 128))
    outputs = 2 * 2 * backbone.shape.kv_heads * backbone.shape.head_size
    nothing = KvMap(2, Linear(torch.zeros(outputs, backbone.shape.hidden_size), torch.zeros(outputs)), near=8)
    model = EarlyExitModel(backbone, (2,), kv_maps=[nothing])
    measured = measure_filling(model, 2, windows, material.lead, silent)
    assert 0 < len(measured) < len(windows)  # some are too short
    assert sum(one.tokens for one in measured) == 16 * len(measured)
    assert sum(abs(one.loss_filled - one.loss) for one in measured) > 1
    window = windows[0]
    exact = read_logits(model, [int(token) for token in window.ids][:-1], fill=0)
    said = exact.argmax(dim=-1) == torch.tensor([int(token) for token in window.ids[-16:]])
    assert measured[0].right == int(said.sum())


def test_the_limit_is_that_of_the_mean_over_projects() -> None:
    measured = [FilledWindow(number, 100, 50, 50 - number % 2, 90, 1.0, 1.1) for number in range(10)]
    figures = summary(measured)
    assert figures["loss"] == pytest.approx(0.01)
    assert 0.01 < figures["upper_loss"] < 0.017
    assert (figures["accuracy"], figures["accuracy_filled"], figures["agreement"]) == (0.5, 0.495, 0.9)
    with pytest.raises(TrainingError, match="7 projects have texts long enough"):
        summary(measured[:7])
