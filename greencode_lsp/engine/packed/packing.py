"""Weights in 4 or 8 bits, in the order in which the kernel reads them (see kernel/types.h)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from greencode_lsp.engine.grid import GROUP, exact_codes, fitted_codes

BLOCK = 16


@dataclass(frozen=True)
class PackedWeight:
    """A matrix [outputs, inputs] as codes and scales.

    Shapes: codes, bytes [outputs / 16, inputs / 32, 256 or 512], scales, half floats [outputs / 16, inputs / 32, 32 or
    16]: with 4 bits 16 scales and 16 minima, with 8 bits 16 scales. Outputs are padded to a multiple of 16.
    """

    bits: int
    outputs: int
    inputs: int
    codes: Tensor
    scales: Tensor

    @property
    def byte_count(self) -> int:
        """Bytes that are read to apply it once."""
        return self.codes.nbytes + self.scales.nbytes

    def rows(self, indices: Tensor) -> Tensor:
        """Return some rows of an 8-bit matrix as float32 [indices, inputs]: an embedding is looked up like this."""
        blocks, lanes = indices // BLOCK, indices % BLOCK
        groups = self.inputs // GROUP
        codes = self.codes.view(-1, groups, GROUP // 4, BLOCK, 4)[blocks, :, :, lanes, :]  # [indices, groups, 8, 4]
        scales = self.scales[blocks, :, lanes]  # [indices, groups]
        values = (codes.reshape(-1, groups, GROUP).float() - 128) * scales[:, :, None].float()
        return values.reshape(-1, self.inputs)

    def select(self, indices: Tensor) -> "PackedWeight":
        """Return a matrix of some outputs, code for code, padded to a multiple of 16 with the first of them."""
        padded = torch.cat((indices, indices[:1].expand(-len(indices) % BLOCK)))
        blocks, lanes = padded // BLOCK, padded % BLOCK
        groups = self.inputs // GROUP
        codes = self.codes.view(-1, groups, self.codes.shape[2] // (4 * BLOCK), BLOCK, 4)[blocks, :, :, lanes, :]
        scales = self.scales.view(-1, groups, self.scales.shape[2] // BLOCK, BLOCK)[blocks, :, :, lanes]
        codes = codes.view(-1, BLOCK, *codes.shape[1:]).permute(0, 2, 3, 1, 4)  # [blocks, groups, parts, 16, 4]
        scales = scales.view(-1, BLOCK, *scales.shape[1:]).permute(0, 2, 3, 1)  # [blocks, groups, parts, 16]
        laid, beside = codes.flatten(2).contiguous(), scales.flatten(2).contiguous()
        return PackedWeight(self.bits, len(padded), self.inputs, laid, beside)


def pack(weight: Tensor) -> PackedWeight:
    """Pack a float matrix [outputs, inputs]: in 4 bits where it came from 4 bits, else in 8."""
    found = exact_codes(grouped(weight))
    return pack_eight_bits(weight) if found is None else four_bits(*found)


def pack_coarsely(weight: Tensor) -> PackedWeight:
    """Pack in 4 bits whatever is lost: for a first look at a head, and for exits' translators."""
    return four_bits(*fitted_codes(grouped(weight)))


def four_bits(codes: Tensor, scale: Tensor, minimum: Tensor) -> PackedWeight:
    """Lay out codes [outputs, groups, 32] with their scales and minima [outputs, groups, 1] (Q4_1)."""
    outputs, groups, _ = codes.shape
    split = codes.to(torch.uint8).view(outputs // BLOCK, BLOCK, -1, 4, 2, 4)  # block, output, group, j, half, i
    low, high = split.permute(4, 0, 2, 3, 1, 5)  # [blocks, groups, 4, 16, 4] each
    both = torch.stack((blocked(scale[:, :, 0]), blocked(minimum[:, :, 0])), dim=2)  # [blocks, groups, 2, 16]
    laid = (low | high << 4).reshape(outputs // BLOCK, -1, 256)
    return PackedWeight(4, outputs, groups * GROUP, laid.contiguous(), both.flatten(2).half().contiguous())


def pack_eight_bits(weight: Tensor) -> PackedWeight:
    """Pack with a scale per group (Q8_0)."""
    groups = grouped(weight)
    scale = (groups.abs().amax(dim=2) / 127).half().float()
    codes = (groups / scale.clamp(min=1e-12)[:, :, None]).round_().clamp_(-127, 127).add_(128).to(torch.uint8)
    rows, inputs = len(groups), weight.shape[1]
    ordered = codes.view(rows // BLOCK, BLOCK, -1, GROUP // 4, 4).permute(0, 2, 3, 1, 4)
    return PackedWeight(
        8, rows, inputs, ordered.reshape(rows // BLOCK, -1, 512).contiguous(), blocked(scale).half().contiguous()
    )


def grouped(weight: Tensor) -> Tensor:
    """Return the weights as float32 [outputs, groups, 32], outputs padded with zeros to a multiple of 16."""
    outputs, inputs = weight.shape
    padded = torch.nn.functional.pad(weight.float(), (0, 0, 0, -outputs % BLOCK))
    return padded.view(len(padded), inputs // GROUP, GROUP)


def blocked(values: Tensor) -> Tensor:
    """Turn [outputs, groups] into [blocks, groups, 16]."""
    return values.view(len(values) // BLOCK, BLOCK, -1).transpose(1, 2)
