"""The shape of a backbone, and its weights, in the one form that every family is brought into."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from greencode_lsp.engine.errors import EngineError

LARGEST = {
    "layers": 1 << 10,
    "hidden_size": 1 << 16,
    "heads": 1 << 10,
    "kv_heads": 1 << 10,
    "head_size": 1 << 10,
    "intermediate_size": 1 << 18,
    "vocabulary_size": 1 << 22,
    "context_length": 1 << 22,
}
"""Far above every released model's. What is larger is a mistake, and would only be found out when memory is full."""


@dataclass(frozen=True)
class Architecture:
    """Everything about a decoder-only transformer that is not a weight. Sizes are counts of elements.

    Raises `EngineError` where sizes are absurd or do not fit each other.
    """

    family: str
    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    head_size: int
    intermediate_size: int
    vocabulary_size: int
    context_length: int
    norm: Literal["rms", "layer"]
    norm_epsilon: float
    activation: Literal["silu", "relu", "gelu", "gelu_tanh"]
    gated: bool
    end_of_text: tuple[int, ...]
    parallel_residual: bool = False
    """Attention and MLP both read what enters the layer (GPT-NeoX), rather than the MLP what attention leaves."""

    def __post_init__(self) -> None:
        for name, largest in LARGEST.items():
            if not 1 <= getattr(self, name) <= largest:
                raise EngineError(f"the model's {name} is {getattr(self, name)}, wanted 1 to {largest}")
        if self.heads % self.kv_heads:
            raise EngineError(f"the model has {self.heads} heads, wanted a multiple of its {self.kv_heads} K/V heads")

    @property
    def attention_size(self) -> int:
        """Numbers in all heads' queries of a row."""
        return self.heads * self.head_size

    @property
    def kv_size(self) -> int:
        """Numbers in all heads' keys, or values, of a row."""
        return self.kv_heads * self.head_size

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """The shape [out, in] of each matrix of a layer, by its field of `Layer`."""
        hidden, inner = self.hidden_size, self.intermediate_size
        return {
            "qkv": (self.attention_size + 2 * self.kv_size, hidden),
            "attention_out": (hidden, self.attention_size),
            "mlp_in": (2 * inner if self.gated else inner, hidden),
            "mlp_out": (hidden, inner),
        }


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
    mlp_in [intermediate, hidden] (gate above up, twice as tall, when gated), mlp_out [hidden, intermediate]:
    `Architecture.matrices` has the numbers.
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
