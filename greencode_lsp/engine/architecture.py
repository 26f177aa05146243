"""The shape of a backbone, and its weights, in the one form that every family is brought into."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Architecture:
    """Everything about a decoder-only transformer that is not a weight. Sizes are counts of elements."""

    family: str
    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary_size: int
    context_length: int
    norm: Literal["rms", "layer"]
    norm_epsilon: float
    activation: Literal["silu", "relu", "gelu", "gelu_tanh"]
    gated: bool
    end_of_text: tuple[int, ...]
    parallel_residual: bool = False
    """Attention and MLP both read what enters the layer (GPT-NeoX), rather than the MLP what attention leaves."""


@dataclass(frozen=True)
class Linear:
    """An affine map. Shapes: weight [out, in], bias [out]."""

    weight: Tensor
    bias: Tensor | None = None


@dataclass(frozen=True)
class Norm:
    """A normalisation over the last dimension. Shapes: weight [size], bias [size] (layer norm only)."""

    weight: Tensor
    bias: Tensor | None = None


def plain_norm(shape: "Architecture") -> Norm:
    """Return a norm that only brings states to one size: the family's own, without weights."""
    size = shape.hidden_size
    return Norm(torch.ones(size), torch.zeros(size) if shape.norm == "layer" else None)


@dataclass(frozen=True)
class Layer:
    """One pre-norm decoder layer, with the projections that read the same input fused into one.

    Shapes: qkv [(heads + 2 * kv_heads) * head_size, hidden], attention_out [hidden, heads * head_size],
    mlp_in [intermediate, hidden] (gate above up, twice as tall, when gated), mlp_out [hidden, intermediate].
    query_norm and key_norm [head_size] normalise every head before it is rotated, where the family does so (Qwen3).
    """

    attention_norm: Norm
    qkv: Linear
    attention_out: Linear
    mlp_norm: Norm
    mlp_in: Linear
    mlp_out: Linear
    query_norm: Norm | None = None
    key_norm: Norm | None = None


@dataclass(frozen=True)
class RotaryTable:
    """Cosines and sines of rotary embeddings, both [context, rotary_size], rotating halves as Llama does.

    rotary_size is at most head_size; what lies beyond it in a head is not rotated (GPT-NeoX).
    """

    cos: Tensor
    sin: Tensor


@dataclass(frozen=True)
class LearnedPositions:
    """A learned embedding per position. Shapes: table [context + offset, hidden]. OPT's offset is 2."""

    table: Tensor
    offset: int = 0


@dataclass(frozen=True)
class Weights:
    """A whole backbone. Shapes: embedding [vocabulary, hidden], head [vocabulary, hidden]."""

    embedding: Tensor
    positions: RotaryTable | LearnedPositions
    layers: tuple[Layer, ...]
    final_norm: Norm
    head: Linear
