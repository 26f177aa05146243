"""Model folders whose tensors or configuration were changed: each is refused in one line, on every family."""

import ctypes
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from greencode_lsp.engine import EngineError, load_backbone
from greencode_lsp.engine.cache import Cache
from greencode_lsp.engine.packed.backbone import PackedBackbone, load_packed, packed
from greencode_lsp.engine.packed.library import KernelUnavailableError
from greencode_lsp.engine.packed.structures import CLayer
from tests.engine.conftest import RANDOM_MODELS, Twins

pytestmark = pytest.mark.usefixtures("one_thread")

HUGE = 1 << 40


def with_nan(tensor: Tensor) -> Tensor:
    changed = tensor.clone()
    changed.view(-1)[-1] = math.nan
    return changed


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "a row more": lambda tensor: torch.cat((tensor, tensor[:1])),
    "many rows more": lambda tensor: tensor.repeat(40, *(1,) * (tensor.dim() - 1)),
    "a row less": lambda tensor: tensor[:-1].clone(),
    "one row": lambda tensor: tensor[:1].clone(),
    "no rows": lambda tensor: tensor[:0].clone(),
    "a column more": lambda tensor: torch.cat((tensor, tensor[..., :1]), dim=-1),
    "a column less": lambda tensor: tensor[..., :-1].clone(),
    "a dimension more": lambda tensor: tensor[None].clone(),
    "a dimension less": lambda tensor: tensor.flatten()[0].clone(),
    "whole numbers": lambda tensor: tensor.int(),
    "truth values": lambda tensor: tensor > 0,
    "NaN": with_nan,
    "infinite": lambda tensor: torch.full_like(tensor, math.inf),
}

SIZES = {
    "gpt2": ("n_embd", "n_head", "n_layer", "vocab_size", "n_positions", "n_inner"),
    "gpt_neox": ("hidden_size", "num_attention_heads", "num_hidden_layers", "vocab_size", "intermediate_size"),
    "opt": ("hidden_size", "num_attention_heads", "num_hidden_layers", "vocab_size", "ffn_dim"),
}

HEADS_ALONE = ("n_head", "num_attention_heads")
"""Twice as many heads of half the size have the same tensors."""

OF_LLAMA = (
    "hidden_size",
    "num_attention_heads",
    "num_key_value_heads",
    "num_hidden_layers",
    "vocab_size",
    "intermediate_size",
)


@pytest.fixture
def folder(twins: Twins, tmp_path: Path) -> Path:
    """Return a copy of a model's folder, to be changed."""
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((twins.folder / name).read_bytes())
    return tmp_path


def tensors_of(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors")


def write(folder: Path, tensors: dict[str, Tensor]) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")


def change_config(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def refusal(folder: Path) -> str:
    """Return the one line in which loading a folder is refused."""
    with pytest.raises(EngineError) as refused:
        load_backbone(folder)
    message = str(refused.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def of_one_layer(names: list[str]) -> list[str]:
    """Leave out all layers but the second, whose tensors stand for those of the others."""
    return [name for name in names if not any(f".{index}." in name for index in (0, 2, 3, 4, 5))]


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_changed_tensor_is_refused_by_its_name(folder: Path, change: str) -> None:
    tensors = tensors_of(folder)
    for name in of_one_layer(sorted(tensors)):
        write(folder, tensors | {name: CHANGES[change](tensors[name])})
        message = refusal(folder)
        assert repr(name) in message
        assert str(folder / "model.safetensors") in message
        assert "wanted" in message


def test_packing_refuses_what_loading_refuses(folder: Path) -> None:
    tensors = tensors_of(folder)
    name = next(name for name in sorted(tensors) if ".1." in name)
    write(folder, tensors | {name: CHANGES["many rows more"](tensors[name])})
    with pytest.raises((EngineError, KernelUnavailableError)):
        load_packed(folder, folder / "store")
    assert not list((folder / "store").glob("*"))


def test_a_missing_tensor_is_refused_by_its_name(folder: Path) -> None:
    tensors = tensors_of(folder)
    for name in of_one_layer(sorted(tensors)):
        write(folder, {other: tensor for other, tensor in tensors.items() if other != name})
        missed = name.rpartition(".")[0].removeprefix("model.").removeprefix("transformer.").split(".")[-1]
        assert missed in refusal(folder)


def test_tensors_of_more_layers_or_other_parts_are_refused(folder: Path) -> None:
    tensors = tensors_of(folder)
    of_a_layer = next(name for name in sorted(tensors) if ".1." in name)
    for name in (of_a_layer.replace(".1.", ".6."), of_a_layer.replace("weight", "gain").replace("bias", "gain")):
        write(folder, tensors | {name: tensors[of_a_layer].clone()})
        assert repr(name) in refusal(folder)


def test_what_old_checkpoints_keep_beside_their_weights_is_no_obstacle(folder: Path) -> None:
    tensors = tensors_of(folder)
    prefix = next(name for name in sorted(tensors) if ".1." in name).partition(".1.")[0]
    buffers = ("attn.masked_bias", "attn.bias", "attention.rotary_emb.inv_freq", "self_attn.rotary_emb.inv_freq")
    write(folder, tensors | {f"{prefix}.1.{name}": torch.ones(2) for name in buffers})
    load_backbone(folder)


def test_sizes_that_are_not_those_of_the_tensors_are_refused(twins: Twins, folder: Path) -> None:
    before = (folder / "config.json").read_text()
    config = json.loads(before)
    for name in SIZES.get(config["model_type"], OF_LLAMA):
        known = config.get(name) or 4 * config["n_embd"]
        doubled = () if name in HEADS_ALONE else (2 * known,)
        for value in (0, -1, known + 1, *doubled, HUGE, "8", 8.5, [8], True):
            change_config(folder, **{name: value})
            refusal(folder)
        (folder / "config.json").write_text(before)


@pytest.mark.parametrize("value", [0, -4, HUGE, "700", [], {}, True])
def test_a_context_without_sense_is_refused(folder: Path, value: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    name = "n_positions" if config["model_type"] == "gpt2" else "max_position_embeddings"
    if config.get("sliding_window") and value == HUGE:
        pytest.skip("a window bounds this context")
    change_config(folder, **{name: value})
    assert "context_length" in refusal(folder) or name in refusal(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"eos_token_id": "end"},
        {"eos_token_id": [1, "end"]},
        {"eos_token_id": -1},
        {"rope_parameters": 5},
        {"rope_parameters": {"rope_type": "linear"}},
        {"rope_parameters": {"rope_type": "linear", "factor": 0}},
        {"rope_parameters": {"rope_type": "llama3", "factor": "8"}},
        {"rope_parameters": {"rope_type": ["linear"]}},
        {"rope_parameters": {"rope_theta": -1.0}},
        {"rms_norm_eps": "small"},
        {"rms_norm_eps": -1},
        {"hidden_act": "quick_gelu"},
        {"hidden_act": ["silu"]},
        {"attention_bias": "yes"},
        {"attention_bias": True},
        {"model_type": ["llama"]},
        {"num_key_value_heads": 5},
        {"head_dim": 7},
    ],
    ids=str,
)
def test_a_configuration_without_sense_is_refused(values: dict[str, Any], llama: Path) -> None:
    change_config(llama, **values)
    with pytest.raises(EngineError) as refused:
        load_backbone(llama)
    assert "\n" not in str(refused.value)


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """Return the folder of a small Llama that the kernel runs."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=272,
        eos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def backbone(llama: Path) -> PackedBackbone:
    return PackedBackbone(*packed(load_backbone(llama)))


@pytest.mark.parametrize("tokens", [[-1], [300], [5, 1 << 40], [-(1 << 62)]])
def test_token_ids_outside_of_the_vocabulary_are_refused(
    twins: Twins, backbone: PackedBackbone, tokens: list[int]
) -> None:
    for runner in (twins.backbone, backbone):
        with pytest.raises(EngineError, match=r"is not in the model's vocabulary, wanted 0 to 299"):
            runner.embed(tokens, 0)


def test_the_context_is_used_to_its_last_row_and_no_further(backbone: PackedBackbone) -> None:
    cache = backbone.new_cache(3)
    hidden = backbone.run_layers(range(3), backbone.embed([5] * 256, 0), 0, cache)
    assert hidden.shape == (256, 64)
    backbone.run_layers(range(3), backbone.embed([5] * 16, 256), 256, cache)
    with pytest.raises(EngineError, match="273 tokens exceed the context of 272"):
        backbone.run_layers(range(3), backbone.embed([5], 272), 272, cache)


def test_states_and_caches_of_another_model_are_refused(backbone: PackedBackbone) -> None:
    with pytest.raises(EngineError, match=r"hidden states are float32 \[1, 32\], wanted float32 \[rows, 64\]"):
        backbone.run_layers(range(3), torch.zeros(1, 32), 0, backbone.new_cache(3))
    with pytest.raises(EngineError, match=r"hidden states are float16"):
        backbone.reader().logits(torch.zeros(1, 64).half())
    with pytest.raises(EngineError, match="a cache is"):
        backbone.run_layers(range(3), torch.zeros(1, 64), 0, Cache(torch.empty(0, dtype=torch.float16), 2, 2, 16))


WRONG_CALLS: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "no rows": lambda call, layer: call.update(rows=0),
    "negative rows": lambda call, layer: call.update(rows=-4),
    "more rows than the cache holds": lambda call, layer: call.update(rows=257),
    "rows beyond the context": lambda call, layer: call.update(start=271, capacity=1 << 12),
    "a start beyond all numbers": lambda call, layer: call.update(start=(1 << 63) - 1),
    "a negative start": lambda call, layer: call.update(start=-1),
    "more read than there are": lambda call, layer: call.update(read=3),
    "no threads": lambda call, layer: call.update(threads=0),
    "a value projection of 20,000 rows": lambda call, layer: setattr(layer.qkv, "outputs", 20_000),
    "a wider MLP": lambda call, layer: setattr(layer.mlp.mlp_out, "inputs", 960),
    "a short gate": lambda call, layer: setattr(layer.mlp.mlp_in, "outputs", 96),
    "an output projection of 500 times the rows": lambda call, layer: setattr(layer.attention_out, "outputs", 32_000),
    "weights of 5 bits": lambda call, layer: setattr(layer.qkv, "bits", 5),
    "no codes": lambda call, layer: setattr(layer.qkv, "codes", None),
    "no norm": lambda call, layer: setattr(layer.norm, "weight", None),
}


@pytest.mark.parametrize("wrong", sorted(WRONG_CALLS))
def test_the_kernel_refuses_sizes_that_do_not_fit_and_computes_nothing(backbone: PackedBackbone, wrong: str) -> None:
    layers = (CLayer * 3).from_buffer_copy(backbone._layers)
    cache = backbone.new_cache(3)
    cache.reserve(256, 0)
    hidden = torch.ones(2, 64)
    call = {"rows": 2, "start": 0, "read": 2, "capacity": cache.capacity, "threads": 1}
    WRONG_CALLS[wrong](call, layers[1])
    room = torch.empty(1 << 20, dtype=torch.uint8)
    result = backbone._library.run_layers(
        ctypes.byref(backbone._shape),
        ctypes.byref(layers),
        3,
        hidden.data_ptr(),
        call["rows"],
        call["start"],
        call["read"],
        cache.keys.data_ptr(),
        cache.values.data_ptr(),
        call["capacity"],
        room.data_ptr(),
        call["threads"],
    )
    assert result == -1
    assert torch.equal(hidden, torch.ones(2, 64))


def test_every_family_is_tried() -> None:
    assert {name.removesuffix("3") if name == "llama3" else name for name in RANDOM_MODELS} >= set(SIZES) | {"llama"}
