"""The weights of a whole backbone, packed."""

from dataclasses import dataclass

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import LearnedPositions, Norm, RotaryTable
from greencode_lsp.engine.packed.packing import PackedWeight


@dataclass(frozen=True)
class PackedLinear:
    """A linear map with packed weights; bias, float32, [outputs]."""

    weight: PackedWeight
    bias: Tensor | None

    def select(self, indices: Tensor) -> "PackedLinear":
        """Return a map to some of the outputs, padded to a multiple of 16."""
        weight = self.weight.select(indices)
        if self.bias is None:
            return PackedLinear(weight, None)
        bias = self.bias[indices]
        return PackedLinear(weight, torch.cat((bias, bias[:1].expand(weight.outputs - len(bias)))))


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


@dataclass(frozen=True)
class PackedHead:
    """A head, or a part of one; `screen` as in `PackedWeights`."""

    head: PackedLinear
    screen: PackedLinear | None

    @property
    def byte_count(self) -> int:
        """Bytes of weights that choosing a token reads, but for a few that are looked at closely."""
        return (self.screen or self.head).weight.byte_count

    def select(self, ids: Tensor) -> "PackedHead":
        """Return the part that reads these tokens, ids [tokens], padded to a multiple of 16."""
        return PackedHead(self.head.select(ids), self.screen and self.screen.select(ids))
