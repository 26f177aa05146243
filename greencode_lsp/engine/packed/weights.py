"""The weights of a whole backbone, packed."""

from dataclasses import dataclass

from torch import Tensor

from greencode_lsp.engine.architecture import LearnedPositions, Norm, RotaryTable
from greencode_lsp.engine.packed.packing import PackedWeight


@dataclass(frozen=True)
class PackedLinear:
    """A linear map with packed weights; bias, float32, [outputs]."""

    weight: PackedWeight
    bias: Tensor | None


@dataclass(frozen=True)
class PackedLayer:
    """A decoder layer with packed weights."""

    attention_norm: Norm
    qkv: PackedLinear
    attention_out: PackedLinear
    mlp_norm: Norm
    mlp_in: PackedLinear
    mlp_out: PackedLinear


@dataclass(frozen=True)
class PackedWeights:
    """A whole backbone.

    `embedding` is None where the head serves as one, `screen` is a coarser copy of a head of 8 bits.
    """

    embedding: Tensor | None
    positions: RotaryTable | LearnedPositions
    layers: tuple[PackedLayer, ...]
    final_norm: Norm
    head: PackedLinear
    screen: PackedLinear | None
