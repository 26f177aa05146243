"""GPT-NeoX and Pythia: layer norm, rotary positions on part of each head, attention and MLP side by side."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Layer, Linear, Weights
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.families.picking import read_embedding, read_head, read_norm, single
from greencode_lsp.engine.families.reading import activation, end_of_text, integer, number, shown, switch
from greencode_lsp.engine.families.rotary import rotary_parameters, rotary_table

MODEL_TYPE = "gpt_neox"


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Translate a GPT-NeoX `config.json`."""
    hidden, heads = integer(config, "hidden_size"), integer(config, "num_attention_heads")
    return Architecture(
        family=MODEL_TYPE,
        layers=integer(config, "num_hidden_layers"),
        hidden_size=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        intermediate_size=integer(config, "intermediate_size"),
        vocabulary_size=integer(config, "vocab_size"),
        context_length=integer(config, "max_position_embeddings"),
        norm="layer",
        norm_epsilon=number(config, "layer_norm_eps", 1e-5),
        activation=activation(config, "hidden_act", "gelu"),
        gated=False,
        end_of_text=end_of_text(config),
        parallel_residual=switch(config, "use_parallel_residual", True),
    )


def read_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shape: Architecture) -> Weights:
    """Pick a GPT-NeoX's tensors. The head is called `embed_out`, or `lm_head` by newer versions of transformers."""
    biased = switch(config, "attention_bias", True)
    embedding = read_embedding(tensors, "gpt_neox.embed_in.weight", shape)
    rotary_size = int(shape.head_size * rotary_share(config))
    return Weights(
        embedding=embedding,
        positions=rotary_table(config, rotary_size, shape.context_length, like=embedding),
        layers=tuple(read_layer(tensors, f"gpt_neox.layers.{index}", shape, biased) for index in range(shape.layers)),
        final_norm=read_norm(tensors, "gpt_neox.final_layer_norm", shape.hidden_size),
        head=read_head(tensors, embedding, config, ("embed_out", "lm_head")),
    )


def rotary_share(config: Mapping[str, Any]) -> float:
    """Return which part of every head is rotated, under any of the names it has had."""
    parameters = rotary_parameters(config)
    shares = (parameters.get("partial_rotary_factor"), config.get("partial_rotary_factor"), config.get("rotary_pct"))
    share = next((share for share in shares if share is not None), 0.25)
    if type(share) not in (int, float) or not 0 < share <= 1:
        raise EngineError(f"config.json: the rotated part of each head is {shown(share)}, wanted a number up to 1")
    return float(share)


def read_layer(tensors: Mapping[str, Tensor], prefix: str, shape: Architecture, biased: bool) -> Layer:
    """Pick the tensors of one layer, and sort its fused projection."""
    sizes, hidden = shape.matrices, shape.hidden_size
    return Layer(
        attention_norm=read_norm(tensors, f"{prefix}.input_layernorm", hidden),
        qkv=by_role(single(tensors, f"{prefix}.attention.query_key_value", sizes["qkv"], biased), shape),
        attention_out=single(tensors, f"{prefix}.attention.dense", sizes["attention_out"], biased),
        mlp_norm=read_norm(tensors, f"{prefix}.post_attention_layernorm", hidden),
        mlp_in=single(tensors, f"{prefix}.mlp.dense_h_to_4h", sizes["mlp_in"], biased=True),
        mlp_out=single(tensors, f"{prefix}.mlp.dense_4h_to_h", sizes["mlp_out"], biased=True),
    )


def by_role(fused: Linear, shape: Architecture) -> Linear:
    """Put all queries before all keys before all values, where the checkpoint has q, k and v head by head."""
    return Linear(sorted_rows(fused.weight, shape), None if fused.bias is None else sorted_rows(fused.bias, shape))


def sorted_rows(rows: Tensor, shape: Architecture) -> Tensor:
    """Reorder [heads * 3 * head_size, ...] to [3 * heads * head_size, ...]."""
    by_head = rows.view(shape.heads, 3, shape.head_size, *rows.shape[1:])
    return by_head.transpose(0, 1).reshape(rows.shape)
