"""GPT-2: layer norm, learned positions, ungated GELU, fused q, k and v, and weights stored transposed."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Layer, LearnedPositions, Linear, Weights
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.families.picking import read_embedding, read_head, read_norm, take
from greencode_lsp.engine.families.reading import activation, end_of_text, integer, number, switch

MODEL_TYPE = "gpt2"


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Translate a GPT-2 `config.json`; raise `EngineError` where attention is scaled as in no released GPT-2."""
    if switch(config, "scale_attn_by_inverse_layer_idx", False) or not switch(config, "scale_attn_weights", True):
        raise EngineError("this GPT-2 scales attention by layer or not at all; greencode scales by head size only")
    hidden, heads = integer(config, "n_embd"), integer(config, "n_head")
    return Architecture(
        family=MODEL_TYPE,
        layers=integer(config, "n_layer"),
        hidden_size=hidden,
        heads=heads,
        kv_heads=heads,
        head_size=hidden // heads,
        intermediate_size=integer(config, "n_inner", default=4 * hidden),
        vocabulary_size=integer(config, "vocab_size"),
        context_length=integer(config, "n_positions", "n_ctx"),
        norm="layer",
        norm_epsilon=number(config, "layer_norm_epsilon", 1e-5),
        activation=activation(config, "activation_function", "gelu_new"),
        gated=False,
        end_of_text=end_of_text(config),
    )


def read_weights(tensors: Mapping[str, Tensor], config: Mapping[str, Any], shape: Architecture) -> Weights:
    """Pick a GPT-2's tensors. Checkpoints name them with or without a leading `transformer.`."""
    root = "transformer." if "transformer.wte.weight" in tensors else ""
    embedding = read_embedding(tensors, f"{root}wte.weight", shape)
    return Weights(
        embedding=embedding,
        positions=LearnedPositions(take(tensors, f"{root}wpe.weight", shape.context_length, shape.hidden_size)),
        layers=tuple(read_layer(tensors, f"{root}h.{index}", shape) for index in range(shape.layers)),
        final_norm=read_norm(tensors, f"{root}ln_f", shape.hidden_size),
        head=read_head(tensors, embedding, config),
    )


def read_layer(tensors: Mapping[str, Tensor], prefix: str, shape: Architecture) -> Layer:
    """Pick the tensors of one layer."""
    sizes = shape.matrices
    return Layer(
        attention_norm=read_norm(tensors, f"{prefix}.ln_1", shape.hidden_size),
        qkv=transposed(tensors, f"{prefix}.attn.c_attn", sizes["qkv"]),
        attention_out=transposed(tensors, f"{prefix}.attn.c_proj", sizes["attention_out"]),
        mlp_norm=read_norm(tensors, f"{prefix}.ln_2", shape.hidden_size),
        mlp_in=transposed(tensors, f"{prefix}.mlp.c_fc", sizes["mlp_in"]),
        mlp_out=transposed(tensors, f"{prefix}.mlp.c_proj", sizes["mlp_out"]),
    )


def transposed(tensors: Mapping[str, Tensor], name: str, sizes: tuple[int, int]) -> Linear:
    """Pick one affine map of this shape [out, in], stored as [in, out] (GPT-2's Conv1D)."""
    outputs, inputs = sizes
    weight = take(tensors, f"{name}.weight", inputs, outputs)
    return Linear(weight.T.contiguous(), take(tensors, f"{name}.bias", outputs))
