"""Qwen3: Llama with a head size of its own, and queries and keys normalised per head before they are rotated."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Layer, Weights
from greencode_lsp.engine.families import llama
from greencode_lsp.engine.families.picking import read_norm
from greencode_lsp.engine.families.reading import integer, refuse_sliding_window

MODEL_TYPE = "qwen3"


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Translate a Qwen3 `config.json`; raise `EngineError` where it uses a sliding window."""
    refuse_sliding_window(config)
    head_size = integer(config, "head_dim", default=128)
    return replace(llama.read_architecture(config), family=MODEL_TYPE, head_size=head_size)


def read_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shape: Architecture) -> Weights:
    """Pick a Qwen3's tensors: a Llama's, and two more norms per layer."""
    weights = llama.read_weights(tensors, config, shape)
    layers = (with_head_norms(layer, tensors, index, shape.head_size) for index, layer in enumerate(weights.layers))
    return replace(weights, layers=tuple(layers))


def with_head_norms(layer: Layer, tensors: Mapping[str, Tensor], index: int, size: int) -> Layer:
    """Return the layer with its norms over the `size` numbers of each head of queries and keys."""
    prefix = f"model.layers.{index}.self_attn"
    return replace(
        layer,
        query_norm=read_norm(tensors, f"{prefix}.q_norm", size, biased=False),
        key_norm=read_norm(tensors, f"{prefix}.k_norm", size, biased=False),
    )
