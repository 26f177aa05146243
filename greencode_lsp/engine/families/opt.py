"""OPT: layer norm, learned positions with an offset of 2, plain ReLU, as many K/V heads as heads."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Layer, LearnedPositions, Weights
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.families.picking import query_key_value, read_embedding, read_head, read_norm, single, take
from greencode_lsp.engine.families.reading import end_of_text, integer, shown, switch

MODEL_TYPE = "opt"

POSITION_OFFSET = 2


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Translate an OPT `config.json`; raise `EngineError` for the two variants no other OPT shares (350m)."""
    hidden, heads = integer(config, "hidden_size"), integer(config, "num_attention_heads")
    if not switch(config, "do_layer_norm_before", True) or switch(config, "_remove_final_layer_norm", False):
        raise EngineError("this OPT normalises after its layers (as opt-350m does); greencode runs pre-norm OPT only")
    if integer(config, "word_embed_proj_dim", default=hidden) != hidden:
        raise EngineError("this OPT projects its embeddings (as opt-350m does); greencode runs OPT without that")
    if config.get("activation_function", "relu") != "relu":
        raise EngineError(f"OPT with activation {shown(config['activation_function'])}; greencode runs OPT with relu")
    return Architecture(
        family=MODEL_TYPE,
        layers=integer(config, "num_hidden_layers"),
        hidden_size=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        intermediate_size=integer(config, "ffn_dim"),
        vocabulary_size=integer(config, "vocab_size"),
        context_length=integer(config, "max_position_embeddings"),
        norm="layer",
        norm_epsilon=1e-5,
        activation="relu",
        gated=False,
        end_of_text=end_of_text(config),
    )


def read_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shape: Architecture) -> Weights:
    """Pick an OPT's tensors. Checkpoints name them with or without a leading `model.`."""
    root = "model.decoder" if "model.decoder.embed_tokens.weight" in tensors else "decoder"
    hidden, biased = shape.hidden_size, switch(config, "enable_bias", True)
    embedding = read_embedding(tensors, f"{root}.embed_tokens.weight", shape)
    table = take(tensors, f"{root}.embed_positions.weight", shape.context_length + POSITION_OFFSET, hidden)
    return Weights(
        embedding=embedding,
        positions=LearnedPositions(table, POSITION_OFFSET),
        layers=tuple(read_layer(tensors, f"{root}.layers.{index}", shape, biased) for index in range(shape.layers)),
        final_norm=read_norm(tensors, f"{root}.final_layer_norm", hidden),
        head=read_head(tensors, embedding, config),
    )


def read_layer(tensors: Mapping[str, Tensor], prefix: str, shape: Architecture, biased: bool) -> Layer:
    """Pick and fuse the tensors of one layer."""
    sizes, hidden = shape.matrices, shape.hidden_size
    return Layer(
        attention_norm=read_norm(tensors, f"{prefix}.self_attn_layer_norm", hidden),
        qkv=query_key_value(tensors, f"{prefix}.self_attn", shape, biased),
        attention_out=single(tensors, f"{prefix}.self_attn.out_proj", sizes["attention_out"], biased),
        mlp_norm=read_norm(tensors, f"{prefix}.final_layer_norm", hidden),
        mlp_in=single(tensors, f"{prefix}.fc1", sizes["mlp_in"], biased),
        mlp_out=single(tensors, f"{prefix}.fc2", sizes["mlp_out"], biased),
    )
