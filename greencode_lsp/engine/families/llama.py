"""Llama: Llama 2 and 3, Code Llama, SmolLM2. RMS norm, rotary positions, gated SiLU, grouped K/V heads."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Layer, Weights
from greencode_lsp.engine.families.picking import (
    query_key_value,
    read_embedding,
    read_head,
    read_norm,
    single,
    stacked,
)
from greencode_lsp.engine.families.reading import activation, end_of_text, integer, number, switch
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
        intermediate_size=integer(config, "intermediate_size"),
        vocabulary_size=integer(config, "vocab_size"),
        context_length=integer(config, "max_position_embeddings"),
        norm="rms",
        norm_epsilon=number(config, "rms_norm_eps", 1e-6),
        activation=activation(config, "hidden_act", "silu"),
        gated=True,
        end_of_text=end_of_text(config),
    )


def read_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shape: Architecture) -> Weights:
    """Pick a Llama's tensors; q, k, v and gate, up become one projection each."""
    embedding = read_embedding(tensors, "model.embed_tokens.weight", shape)
    return Weights(
        embedding=embedding,
        positions=rotary_table(config, shape.head_size, shape.context_length, like=embedding),
        layers=tuple(read_layer(tensors, f"model.layers.{index}", config, shape) for index in range(shape.layers)),
        final_norm=read_norm(tensors, "model.norm", shape.hidden_size, biased=False),
        head=read_head(tensors, embedding, config),
    )


def read_layer(tensors: Mapping[str, Tensor], prefix: str, config: Mapping[str, Any], shape: Architecture) -> Layer:
    """Pick and fuse the tensors of one layer.

    Qwen2 has biases on queries, keys and values alone. The other families have none, or all that their configuration
    says.
    """
    biased, biased_mlp = switch(config, "attention_bias", False), switch(config, "mlp_bias", False)
    biased_queries = biased or config.get("model_type") == "qwen2"
    attention, mlp, hidden = f"{prefix}.self_attn", f"{prefix}.mlp", shape.hidden_size
    inner = (shape.intermediate_size,) * 2
    return Layer(
        attention_norm=read_norm(tensors, f"{prefix}.input_layernorm", hidden, biased=False),
        qkv=query_key_value(tensors, attention, shape, biased_queries),
        attention_out=single(tensors, f"{attention}.o_proj", shape.matrices["attention_out"], biased),
        mlp_norm=read_norm(tensors, f"{prefix}.post_attention_layernorm", hidden, biased=False),
        mlp_in=stacked(tensors, (f"{mlp}.gate_proj", f"{mlp}.up_proj"), inner, hidden, biased_mlp),
        mlp_out=single(tensors, f"{mlp}.down_proj", shape.matrices["mlp_out"], biased_mlp),
    )
