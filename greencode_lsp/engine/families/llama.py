"""Llama: Llama 2 and 3, Code Llama, SmolLM2. RMS norm, rotary positions, gated SiLU, grouped K/V heads."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Layer, Norm, Weights
from greencode_lsp.engine.families.reading import end_of_text, integer, read_head, stacked
from greencode_lsp.engine.families.rotary import rotary_table

MODEL_TYPE = "llama"


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Translate a Llama `config.json`."""
    hidden, heads = integer(config, "hidden_size"), integer(config, "num_attention_heads")
    return Architecture(
        family=MODEL_TYPE,
        layers=integer(config, "num_hidden_layers"),
        hidden_size=hidden,
        heads=heads,
        kv_heads=integer(config, "num_key_value_heads", default=heads),
        head_size=integer(config, "head_dim", default=hidden // heads),
        vocabulary_size=integer(config, "vocab_size"),
        context_length=integer(config, "max_position_embeddings"),
        norm="rms",
        norm_epsilon=float(config.get("rms_norm_eps", 1e-6)),
        activation="silu",
        gated=True,
        end_of_text=end_of_text(config),
    )


def read_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shape: Architecture) -> Weights:
    """Pick a Llama's tensors; q, k, v and gate, up become one projection each."""
    embedding = tensors["model.embed_tokens.weight"]
    return Weights(
        embedding=embedding,
        positions=rotary_table(config, shape.head_size, shape.context_length, like=embedding),
        layers=tuple(read_layer(tensors, f"model.layers.{index}") for index in range(shape.layers)),
        final_norm=Norm(tensors["model.norm.weight"]),
        head=read_head(tensors, embedding),
    )


def read_layer(tensors: Mapping[str, Tensor], prefix: str) -> Layer:
    """Pick and fuse the tensors of one layer."""
    return Layer(
        attention_norm=Norm(tensors[f"{prefix}.input_layernorm.weight"]),
        qkv=stacked(tensors, *(f"{prefix}.self_attn.{name}_proj" for name in "qkv")),
        attention_out=stacked(tensors, f"{prefix}.self_attn.o_proj"),
        mlp_norm=Norm(tensors[f"{prefix}.post_attention_layernorm.weight"]),
        mlp_in=stacked(tensors, f"{prefix}.mlp.gate_proj", f"{prefix}.mlp.up_proj"),
        mlp_out=stacked(tensors, f"{prefix}.mlp.down_proj"),
    )
