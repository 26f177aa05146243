"""The grid of weights in 4 bits (Q4_1): 16 evenly spaced values from the least to the largest of 32 neighbours."""

from collections.abc import Callable

import torch
from torch import Tensor

GROUP = 32

TOLERANCE = 2**-9
"""How far, relative to a group's largest weight, weights stored as half floats may lie off their grid."""


def nearest_codes(groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return codes [outputs, groups, 32], 0 to 15, on the grid from each group's least to its largest weight.

    Also its scale and minimum, [outputs, groups, 1], float32 rounded to half floats.
    """
    minimum = groups.amin(dim=2, keepdim=True).half().float()
    scale = ((groups.amax(dim=2, keepdim=True) - minimum) / 15).half().float()
    return ((groups - minimum) / scale.clamp(min=1e-12)).round_().clamp_(0, 15), scale, minimum


def exact_codes(groups: Tensor) -> tuple[Tensor, Tensor, Tensor] | None:
    """Return what `nearest_codes` does for weights that lie on such a grid, None for others.

    A checkpoint dequantised from Q4_1 has, in each group of 32, only 16 evenly spaced values from the least to the
    largest: those are found again without loss beyond the rounding of its half floats.
    """
    codes, scale, minimum = nearest_codes(groups)
    missed = (codes * scale + minimum - groups).abs_().amax(dim=2, keepdim=True)
    off = missed > TOLERANCE * groups.abs().amax(dim=2, keepdim=True)
    return None if bool(off.any()) else (codes, scale, minimum)


def fitted_codes(groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `nearest_codes` does, with scale and minimum fitted to the codes by least squares.

    That halves what evenly spaced ends lose of weights that never were on a grid.
    """
    codes, _, _ = nearest_codes(groups)
    mean_code, mean = codes.mean(dim=2, keepdim=True), groups.mean(dim=2, keepdim=True)
    apart = codes - mean_code
    slope = (apart * (groups - mean)).sum(dim=2, keepdim=True) / apart.square().sum(dim=2, keepdim=True).clamp(1e-12)
    scale = slope.half().float()
    return codes, scale, (mean - scale * mean_code).half().float()


def fits_grid(weight: Tensor) -> bool:
    """Say whether a matrix [outputs, inputs] can be kept in 4 bits: its inputs are a multiple of 32."""
    return weight.shape[1] % GROUP == 0


@torch.no_grad()
def on_grid(weight: Tensor) -> Tensor:
    """Return a matrix [outputs, inputs] with every weight on the nearest place of its group's grid.

    Such a matrix is packed in 4 bits without loss. Raises `RuntimeError` unless inputs are a multiple of 32.
    """
    codes, scale, minimum = nearest_codes(weight.float().reshape(len(weight), -1, GROUP))
    return codes.mul_(scale).add_(minimum).view_as(weight).to(weight.dtype)


@torch.no_grad()
def as_codes(weight: Tensor, chosen: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]) -> dict[str, Tensor]:
    """Return a matrix [outputs, inputs] as it is kept in 4 bits, which `from_codes` reads.

    `chosen` is `nearest_codes` for a matrix on its grid, of which nothing is lost, else `fitted_codes`.

    Shapes: codes, bytes [outputs, inputs / 2], the first of two inputs in the low half; scales and minima, half floats
    [outputs, inputs / 32].
    """
    codes, scale, minimum = chosen(weight.float().reshape(len(weight), -1, GROUP))
    pairs = codes.to(torch.uint8).view(len(weight), -1, 2)
    return {
        "codes": pairs[:, :, 0] | pairs[:, :, 1] << 4,
        "scales": scale[:, :, 0].half(),
        "minima": minimum[:, :, 0].half(),
    }


def from_codes(codes: Tensor, scales: Tensor, minima: Tensor) -> Tensor:
    """Return the matrix [outputs, inputs], float32, that `as_codes` kept; raise `RuntimeError` for others."""
    rows = [*scales.shape[:-1], scales.shape[-1] * GROUP // 2] if scales.dim() == 2 else []
    numbers = codes.dtype == torch.uint8 and scales.is_floating_point() and minima.is_floating_point()
    if not numbers or list(codes.shape) != rows or scales.shape != minima.shape:
        kept = " and ".join(f"{str(part.dtype)[6:]} {list(part.shape)}" for part in (codes, scales, minima))
        raise RuntimeError(f"codes, scales, minima are {kept}, wanted bytes [rows, 16 n] and twice numbers [rows, n]")
    groups = torch.stack((codes & 15, codes >> 4), dim=2).view(*scales.shape, GROUP).float()
    return (groups * scales.float()[:, :, None] + minima.float()[:, :, None]).flatten(1)
