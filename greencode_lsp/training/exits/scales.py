"""A matrix in 4 bits whose codes stay and whose groups learn how far apart and where their 16 places lie.

After PEQA (arXiv 2305.14152) and the second phase of EfficientQAT (arXiv 2407.11062). What is computed in training is
what runs: nothing is rounded, so that the smallest step counts, and two numbers for 32 weights are all that is shipped.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from greencode_lsp.engine.grid import GROUP, exact_codes, fits_grid
from greencode_lsp.training.errors import TrainingError

MIDDLE = 7.5
"""Codes are counted from here, so that a scale and a centre do not say the same."""

SMALLEST = 1e-12


class Scales(nn.Module):
    """The change of a matrix [outputs, inputs] on its grid: stretch and shift [outputs, groups], in parts of scales.

    Raises `TrainingError` for a matrix that lies on no grid.
    """

    kinds = ("scales", "minima")

    places: Tensor
    scales: Tensor
    centres: Tensor

    def __init__(self, old: Tensor) -> None:
        super().__init__()
        found = exact_codes(old.float().reshape(len(old), -1, GROUP)) if fits_grid(old) else None
        if found is None:
            raise TrainingError(
                "mode scales is for models in 4 bits (Q4_1), which this one is not: mode full with four_bits"
            )
        codes, scales, minima = found
        self.register_buffer("places", codes.to(torch.int8), persistent=False)  # [outputs, groups, 32]
        self.register_buffer("scales", scales[:, :, 0], persistent=False)
        self.register_buffer("centres", (minima + MIDDLE * scales)[:, :, 0], persistent=False)
        self.stretch = nn.Parameter(torch.zeros(self.scales.shape))
        self.shift = nn.Parameter(torch.zeros(self.scales.shape))

    def forward(self, old: Tensor) -> Tensor:
        """Return the changed matrix."""
        apply: Callable[..., Tensor] = OnGrid.apply
        return apply(self.places, self.scales, self.centres, self.stretch, self.shift)

    def kept(self, old: Tensor) -> dict[str, Tensor]:
        """Return the scales and the minima, half floats."""
        scales = (self.scales * (1 + self.stretch)).half()
        return {"scales": scales, "minima": (self.centres + self.scales * self.shift - MIDDLE * scales.float()).half()}

    def take(self, kept: dict[str, Tensor], old: Tensor) -> None:
        """Become what was shipped."""
        scales, unit = kept["scales"].float(), self.scales.clamp(min=SMALLEST)
        self.stretch.copy_(scales / unit - 1)
        self.shift.copy_((kept["minima"].float() + MIDDLE * scales - self.centres) / unit)


class OnGrid(torch.autograd.Function):
    """The matrix [outputs, inputs] of places and stretched and shifted scales and centres."""

    @staticmethod
    def forward(ctx: Any, places: Tensor, scales: Tensor, centres: Tensor, stretch: Tensor, shift: Tensor) -> Tensor:
        """Return the matrix, float32."""
        ctx.save_for_backward(places, scales)
        stretched, shifted = scales * (1 + stretch), centres + scales * shift
        return torch.addcmul((shifted - MIDDLE * stretched)[:, :, None], places, stretched[:, :, None]).flatten(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Sum the matrix' gradient over each group, as stretch and shift count there."""
        places, scales = ctx.saved_tensors
        of_group = gradients[0].view(places.shape)
        total = of_group.sum(dim=2)
        along = torch.einsum("ogi,ogi->og", of_group, places.to(of_group.dtype)) - MIDDLE * total
        return None, None, None, along * scales, total * scales
