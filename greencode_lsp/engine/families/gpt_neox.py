"""GPT-NeoX and Pythia: layer norm, rotary positions on part of each head, attention and MLP side by side."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Layer, Linear, Weights
from greencode_lsp.engine.families.reading import activation, end_of_text, integer, read_head, read_norm, stacked
from greencode_lsp.engine.families.rotary import rotary_table

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
        vocabulary_size=integer(config, "vocab_size"),
        context_length=integer(config, "max_position_embeddings"),
        norm="layer",
        norm_epsilon=float(config.get("layer_norm_eps", 1e-5)),
        activation=activation(config, "hidden_act", "gelu"),
        gated=False,
        end_of_text=end_of_text(config),
        parallel_residual=bool(config.get("use_parallel_residual", True)),
    )


def read_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shape: Architecture) -> Weights:
    """Pick a GPT-NeoX's tensors. The head is called `embed_out`, or `lm_head` by newer versions of transformers."""
    embedding = tensors["gpt_neox.embed_in.weight"]
    rotary_size = int(shape.head_size * rotary_share(config))
    return Weights(
        embedding=embedding,
        positions=rotary_table(config, rotary_size, shape.context_length, like=embedding),
        layers=tuple(read_layer(tensors, f"gpt_neox.layers.{index}", shape) for index in range(shape.layers)),
        final_norm=read_norm(tensors, "gpt_neox.final_layer_norm"),
        head=read_head(tensors, embedding, "embed_out", "lm_head"),
    )


def rotary_share(config: Mapping[str, Any]) -> float:
    """Return which part of every head is rotated, under any of the names it has had."""
    parameters = config.get("rope_parameters") or config.get("rope_scaling") or {}
    shares = (parameters.get("partial_rotary_factor"), config.get("partial_rotary_factor"), config.get("rotary_pct"))
    return float(next((share for share in shares if share is not None), 0.25))


def read_layer(tensors: Mapping[str, Tensor], prefix: str, shape: Architecture) -> Layer:
    """Pick the tensors of one layer, and sort its fused projection."""
    return Layer(
        attention_norm=read_norm(tensors, f"{prefix}.input_layernorm"),
        qkv=by_role(stacked(tensors, f"{prefix}.attention.query_key_value"), shape),
        attention_out=stacked(tensors, f"{prefix}.attention.dense"),
        mlp_norm=read_norm(tensors, f"{prefix}.post_attention_layernorm"),
        mlp_in=stacked(tensors, f"{prefix}.mlp.dense_h_to_4h"),
        mlp_out=stacked(tensors, f"{prefix}.mlp.dense_4h_to_h"),
    )


def by_role(fused: Linear, shape: Architecture) -> Linear:
    """Put all queries before all keys before all values, where the checkpoint has q, k and v head by head."""
    return Linear(sorted_rows(fused.weight, shape), None if fused.bias is None else sorted_rows(fused.bias, shape))


def sorted_rows(rows: Tensor, shape: Architecture) -> Tensor:
    """Reorder [heads * 3 * head_size, ...] to [3 * heads * head_size, ...]."""
    by_head = rows.view(shape.heads, 3, shape.head_size, *rows.shape[1:])
    return by_head.transpose(0, 1).reshape(rows.shape)
