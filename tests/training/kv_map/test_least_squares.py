"""First maps of keys and values, by least squares."""

from pathlib import Path

import pytest
import torch

from greencode_lsp.engine import load_backbone
from greencode_lsp.engine.architecture import plain_norm
from greencode_lsp.engine.backbone import apply, normalise
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.kv_map.least_squares import LeastSquares, fit_kv_map, keys_and_values
from greencode_lsp.training.material import Material, open_corpus, split_windows
from greencode_lsp.training.progress import silent
from greencode_lsp.training.traces.texts import Choice

pytestmark = pytest.mark.usefixtures("one_thread")


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
    found = apply(fitted, normalise(shape, states[2], plain_norm(shape)))[1:]
    spread = (expected - expected.mean(dim=0)).square().mean()
    assert (found - expected).square().mean() < 0.3 * spread
