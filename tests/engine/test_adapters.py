"""Adapters: changes of layers that are merged when a model is loaded."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from greencode_lsp.engine import EngineError, load_backbone
from greencode_lsp.engine.adapters import MATRICES, Adapters, adapters_metadata, load_adapters, low_rank, merge_adapters
from greencode_lsp.engine.grid import GROUP, as_codes, from_codes, nearest_codes, on_grid
from greencode_lsp.engine.identity import weights_identity
from tests.engine.conftest import Twins

pytestmark = pytest.mark.usefixtures("one_thread")


def random_adapters(twins: Twins) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(6)
    found: dict[str, Tensor] = {}
    for index, layer in enumerate(twins.backbone.weights.layers):
        for part in MATRICES:
            rows, columns = getattr(layer, part).weight.shape
            found[f"layer.{index}.{part}.down"] = torch.randn(3, columns, generator=generator)
            found[f"layer.{index}.{part}.up"] = torch.randn(rows, 3, generator=generator)
        found[f"layer.{index}.mlp_norm.weight"] = torch.randn(layer.mlp_norm.weight.shape, generator=generator)
    return found


def test_merged_matrices_are_the_old_ones_plus_the_product(twins: Twins) -> None:
    adapters = random_adapters(twins)
    merged = merge_adapters(twins.backbone.weights, Adapters(adapters))
    for index, (old, new) in enumerate(zip(twins.backbone.weights.layers, merged.layers, strict=True)):
        for part in MATRICES:
            up, down = (adapters[f"layer.{index}.{part}.{kind}"] for kind in ("up", "down"))
            torch.testing.assert_close(getattr(new, part).weight, getattr(old, part).weight + up @ down)
        torch.testing.assert_close(
            new.mlp_norm.weight, old.mlp_norm.weight + adapters[f"layer.{index}.mlp_norm.weight"]
        )
        assert torch.equal(new.attention_norm.weight, old.attention_norm.weight)


def test_a_model_is_loaded_with_its_adapters(twins: Twins, tmp_path: Path) -> None:
    adapters, shape = random_adapters(twins), twins.backbone.shape
    path = tmp_path / "adapters.safetensors"
    save_file(adapters, path, metadata=adapters_metadata(shape, weights_identity(twins.folder)))
    loaded = load_backbone(twins.folder, adapters=path)
    expected = merge_adapters(twins.backbone.weights, Adapters(adapters))
    assert all(
        torch.equal(one.qkv.weight, other.qkv.weight)
        for one, other in zip(loaded.weights.layers, expected.layers, strict=True)
    )


def test_matrices_kept_in_four_bits_replace_the_old_ones(twins: Twins) -> None:
    old = twins.backbone.weights.layers[0].mlp_out.weight
    if old.shape[1] % GROUP:
        pytest.skip(f"{old.shape[1]} inputs are no whole groups")
    new = torch.randn(old.shape)
    adapters = {f"layer.0.mlp_out.{name}": tensor for name, tensor in as_codes(new, nearest_codes).items()}
    merged = merge_adapters(twins.backbone.weights, Adapters(adapters, four_bits=False))
    assert torch.equal(merged.layers[0].mlp_out.weight, on_grid(new))
    assert torch.equal(merged.layers[1].mlp_out.weight, twins.backbone.weights.layers[1].mlp_out.weight)
    with pytest.raises(EngineError, match="do not fit the model"):
        merge_adapters(twins.backbone.weights, Adapters({**adapters, "layer.0.qkv.codes": torch.zeros(2, 2)}))
    del adapters["layer.0.mlp_out.scales"]
    with pytest.raises(EngineError, match="do not fit the model"):
        merge_adapters(twins.backbone.weights, Adapters(adapters))
    twice = {f"layer.0.mlp_out.{name}": tensor for name, tensor in as_codes(new.repeat(2, 1), nearest_codes).items()}
    with pytest.raises(EngineError, match="do not fit the model: a matrix of shape"):
        merge_adapters(twins.backbone.weights, Adapters(twice))


def test_new_scales_and_minima_leave_a_matrix_its_codes(twins: Twins) -> None:
    weights = twins.backbone.weights
    old = weights.layers[0].mlp_out.weight
    if old.shape[1] % GROUP:
        pytest.skip(f"{old.shape[1]} inputs are no whole groups")
    kept = as_codes(old, nearest_codes)
    changed = {"scales": kept["scales"] * 1.5, "minima": kept["minima"] - 0.125}
    merged = merge_adapters(weights, Adapters({f"layer.0.mlp_out.{kind}": one for kind, one in changed.items()}))
    assert torch.equal(merged.layers[0].mlp_out.weight, from_codes(kept["codes"], **changed))
    with pytest.raises(EngineError, match="do not fit the model"):
        merge_adapters(weights, Adapters({"layer.0.mlp_out.scales": kept["scales"][:1]}))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("layer.6.qkv.up", (4, 2), "no part of this model is called 'layer.6.qkv.up'"),
        ("layer.0.head.up", (4, 2), "no part of this model is called 'layer.0.head.up'"),
        ("exit.3.norm.weight", (4,), "no part of this model is called"),
    ],
)
def test_adapters_of_another_model_are_refused(
    twins: Twins, tmp_path: Path, name: str, shape: tuple[int, ...], message: str
) -> None:
    path = tmp_path / "adapters.safetensors"
    save_file({name: torch.zeros(shape)}, path, metadata=adapters_metadata(twins.backbone.shape, ""))
    with pytest.raises(EngineError, match=message):
        load_adapters(path, twins.backbone.shape)


def test_adapters_trained_on_other_weights_or_of_other_sizes_are_refused(twins: Twins, tmp_path: Path) -> None:
    path, shape = tmp_path / "adapters.safetensors", twins.backbone.shape
    save_file({"layer.0.qkv.up": torch.zeros(5, 2)}, path, metadata=adapters_metadata(shape, "others"))
    with pytest.raises(EngineError, match="changes other weights"):
        load_backbone(twins.folder, adapters=path)
    save_file({"layer.0.mlp_norm.weight": torch.zeros(5)}, path, metadata=adapters_metadata(shape, ""))
    with pytest.raises(EngineError, match="do not fit the model"):
        load_backbone(twins.folder, adapters=path)


def test_a_change_of_low_rank_is_kept_whole_and_others_as_nearly_as_can_be() -> None:
    generator = torch.Generator().manual_seed(3)
    exact = torch.randn(20, 4, generator=generator) @ torch.randn(4, 30, generator=generator)
    down, up = low_rank(exact, 4)
    torch.testing.assert_close(up @ down, exact, atol=1e-4, rtol=1e-4)
    change = torch.randn(20, 30, generator=generator)
    down, up = low_rank(change, 5)
    left_over = torch.linalg.svdvals(change)[5:].square().sum().sqrt()  # Eckart and Young
    torch.testing.assert_close((change - up @ down).norm(), left_over)
