"""Fitting maps of keys and values: least squares, what is measured of a map, and the command."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from greencode_lsp.cli.main import app
from greencode_lsp.engine import EarlyExitModel, load_backbone
from greencode_lsp.engine import kv_map as limits
from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.backbone import apply, normalise
from greencode_lsp.engine.kv_map import KV_MAP_FILE, KvMap, load_kv_map
from greencode_lsp.training import kv_map
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.kv_map import (
    FilledWindow,
    LeastSquares,
    fit_kv_map,
    keys_and_values,
    measure_filling,
    near_logits,
    summary,
)
from greencode_lsp.training.material import Material, open_corpus, split_windows
from greencode_lsp.training.progress import silent
from greencode_lsp.training.traces.texts import Choice

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def shorter_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (limits, kv_map):
        monkeypatch.setattr(module, "NEAR_ROWS", 16)
    monkeypatch.setattr(limits, "FEWEST_ROWS", 16)


def test_least_squares_find_the_map_that_rows_came_from() -> None:
    inputs, weight, bias = torch.randn(400, 12), torch.randn(5, 12), torch.randn(5)
    sums = LeastSquares(12, 5)
    for part in inputs.split(100):
        sums.add(part, part @ weight.T + bias)
    found = sums.solve()
    torch.testing.assert_close(found.weight, weight, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found.bias, bias, atol=1e-3, rtol=1e-3)


def test_too_few_rows_are_refused() -> None:
    sums = LeastSquares(12, 5)
    sums.add(torch.randn(12, 12), torch.randn(12, 5))
    with pytest.raises(TrainingError, match="12 tokens are too few to fit 13 numbers"):
        sums.solve()


@pytest.mark.parametrize("material", ["llama", "opt"], indirect=True)
@torch.inference_mode()
def test_a_fitted_map_foretells_keys_and_values_of_texts_it_has_not_seen(
    material: Material, corpus_folder: Path
) -> None:
    backbone = load_backbone(material.folder)
    shape, corpus = backbone.shape, open_corpus(corpus_folder, material)
    fitted = fit_kv_map(backbone, backbone, 2, split_windows(corpus, "train", Choice(4000, 128)), material.lead, silent)
    ids = [int(token) for token in split_windows(corpus, "heldout", Choice(128, 128))[0].ids]
    tokens = [*material.lead, *ids]
    states = [backbone.embed(tokens, 0)]
    for layer in range(shape.layers):
        states.append(backbone.run_layers(range(layer, layer + 1), states[-1], 0, backbone.new_cache(1)))
    expected = torch.cat([keys_and_values(backbone, layer, states[layer]) for layer in (2, 3)], dim=1)[1:]
    found = apply(fitted.linear, normalise(shape, states[2], fitted.norm(shape)))[1:]
    spread = (expected - expected.mean(dim=0)).square().mean()
    assert (found - expected).square().mean() < 0.3 * spread


def test_near_tokens_are_counted_with_and_without_filling(material: Material, corpus_folder: Path) -> None:
    backbone = load_backbone(material.folder)
    windows = split_windows(open_corpus(corpus_folder, material), "heldout", Choice(1500, 128))
    outputs = 2 * 2 * backbone.shape.kv_heads * backbone.shape.head_size
    nothing = KvMap(2, Linear(torch.zeros(outputs, backbone.shape.hidden_size), torch.zeros(outputs)))
    model = EarlyExitModel(backbone, (2,), kv_map=nothing)
    measured = measure_filling(model, windows, material.lead, silent)
    assert 0 < len(measured) < len(windows)  # some are too short
    assert sum(one.tokens for one in measured) == 16 * len(measured)
    assert sum(abs(one.loss_filled - one.loss) for one in measured) > 1
    window = windows[0]
    exact = near_logits(model, [int(token) for token in window.ids][:-1], fill=False)
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


def test_the_command_writes_a_map_and_says_what_it_loses(
    material: Material, corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kv_map, "FEWEST_PROJECTS", 1)
    monkeypatch.setattr(kv_map, "upper_limit", lambda losses, confidence: float(losses.mean()))

    def run(*options: object) -> tuple[int, str]:
        arguments = ["train", "kv-map", corpus_folder, tmp_path, "--model", material.folder, "--context", 128, *options]
        ran = CliRunner().invoke(app, [*map(str, arguments)])
        return ran.exit_code, ran.output or str(ran.exception)

    code, output = run("--at", "1,3", "--depth", 3, "--json")
    assert code == 0, output
    figures = json.loads(output[output.index("{") :])
    shape = load_backbone(material.folder).shape
    written = load_kv_map(tmp_path / KV_MAP_FILE, shape, material.identity)
    assert written.upper_loss == pytest.approx(figures["upper_loss"])
    code, output = run("--at", "1,3", "--depth", 2)
    assert code == 1
    assert "give the depth of an exit that leaves out layers" in output
