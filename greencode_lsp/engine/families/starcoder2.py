"""StarCoder2: layer norm, rotary positions, biases everywhere, ungated GELU, grouped K/V heads.

The released models attend through a window of 4,096 tokens in a context of 16,384: greencode keeps within the window.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Layer, Weights
from greencode_lsp.engine.families.picking import query_key_value, read_embedding, read_head, read_norm, single
from greencode_lsp.engine.families.reading import (
    activation,
    context_in_window,
    end_of_text,
    integer,
    number,
    switch,
)
from greencode_lsp.engine.families.rotary import rotary_table

MODEL_TYPE = "starcoder2"


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Translate a StarCoder2 `config.json`."""
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
        context_length=context_in_window(config),
        norm="layer",
        norm_epsilon=number(config, "norm_epsilon", 1e-5),
        activation=activation(config, "hidden_act", "gelu_pytorch_tanh"),
        gated=False,
        end_of_text=end_of_text(config),
    )


def read_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shape: Architecture) -> Weights:
    """Pick a StarCoder2's tensors."""
    biased = switch(config, "use_bias", True)
    embedding = read_embedding(tensors, "model.embed_tokens.weight", shape)
    return Weights(
        embedding=embedding,
        positions=rotary_table(config, shape.head_size, shape.context_length, like=embedding),
        layers=tuple(read_layer(tensors, f"model.layers.{index}", shape, biased) for index in range(shape.layers)),
        final_norm=read_norm(tensors, "model.norm", shape.hidden_size),
        head=read_head(tensors, embedding, config),
    )


def read_layer(tensors: Mapping[str, Tensor], prefix: str, shape: Architecture, biased: bool) -> Layer:
    """Pick and fuse the tensors of one layer."""
    sizes, hidden = shape.matrices, shape.hidden_size
    return Layer(
        attention_norm=read_norm(tensors, f"{prefix}.input_layernorm", hidden),
        qkv=query_key_value(tensors, f"{prefix}.self_attn", shape, biased),
        attention_out=single(tensors, f"{prefix}.self_attn.o_proj", sizes["attention_out"], biased),
        mlp_norm=read_norm(tensors, f"{prefix}.post_attention_layernorm", hidden),
        mlp_in=single(tensors, f"{prefix}.mlp.c_fc", sizes["mlp_in"], biased),
        mlp_out=single(tensors, f"{prefix}.mlp.c_proj", sizes["mlp_out"], biased),
    )
