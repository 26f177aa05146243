"""What tensors of layers learn: changes that begin as none, and are shipped smaller than they are learned."""

import torch
from torch import Tensor, nn

from greencode_lsp.engine.adapters import IN_FOUR_BITS, low_rank
from greencode_lsp.engine.grid import GROUP, as_codes, fits_grid, from_codes, nearest_codes, on_grid
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.exits.scales import Scales


class Whole(nn.Module):
    """A tensor of which every number learns."""

    def __init__(self, old: Tensor) -> None:
        super().__init__()
        self.change = nn.Parameter(torch.zeros_like(old, device="cpu"))

    def forward(self, old: Tensor) -> Tensor:
        """Return the changed tensor."""
        return old + self.change


class Vector(Whole):
    """A norm's weight or a bias, shipped as its change. `kinds`, of all changes: how adapters call what is shipped."""

    def __init__(self, old: Tensor, kind: str) -> None:
        super().__init__(old)
        self.kinds = (kind,)

    def kept(self, old: Tensor) -> dict[str, Tensor]:
        """Return what is shipped, by kind."""
        return {kind: self.change.clone() for kind in self.kinds}

    def take(self, kept: dict[str, Tensor], old: Tensor) -> None:
        """Become what was shipped."""
        for change in kept.values():
            self.change.copy_(change)


class WholeMatrix(Whole):
    """A matrix that learns itself, shipped as a change of low rank."""

    kinds = ("down", "up")

    def __init__(self, old: Tensor, rank: int) -> None:
        super().__init__(old)
        self.rank = rank

    def kept(self, old: Tensor) -> dict[str, Tensor]:
        """Return the nearest change of the rank."""
        down, up = low_rank(self.change, self.rank)
        return {"down": down.half(), "up": up.half()}

    def take(self, kept: dict[str, Tensor], old: Tensor) -> None:
        """Become what was shipped."""
        self.change.copy_(kept["up"].float() @ kept["down"].float())


class CoarseMatrix(Whole):
    """A matrix that learns itself, rounded in every step to its grid of 4 bits and shipped on it."""

    kinds = IN_FOUR_BITS

    def forward(self, old: Tensor) -> Tensor:
        """Return the changed matrix on its grid."""
        return rounded(super().forward(old))

    def kept(self, old: Tensor) -> dict[str, Tensor]:
        """Return the codes, scales and minima."""
        return as_codes(old + self.change, nearest_codes)

    def take(self, kept: dict[str, Tensor], old: Tensor) -> None:
        """Become what was shipped."""
        self.change.copy_(from_codes(kept["codes"], kept["scales"], kept["minima"]) - old)


class LowRank(nn.Module):
    """A matrix W that becomes W + up @ down (LoRA, arXiv 2106.09685)."""

    kinds = ("down", "up")

    def __init__(self, old: Tensor, recipe: Recipe, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = old.shape
        self.four_bits = recipe.four_bits
        self.down = nn.Parameter(torch.randn(recipe.rank, columns, generator=generator) * columns**-0.5)
        self.up = nn.Parameter(torch.zeros(rows, recipe.rank))

    def forward(self, old: Tensor) -> Tensor:
        """Return the changed matrix."""
        changed = old + self.up @ self.down
        return rounded(changed) if self.four_bits else changed

    def kept(self, old: Tensor) -> dict[str, Tensor]:
        """Return both factors."""
        return {"down": self.down.half(), "up": self.up.half()}

    def take(self, kept: dict[str, Tensor], old: Tensor) -> None:
        """Become what was shipped."""
        self.down.copy_(kept["down"])
        self.up.copy_(kept["up"])


Change = Vector | WholeMatrix | CoarseMatrix | LowRank | Scales


def change_of(old: Tensor, recipe: Recipe, generator: torch.Generator) -> Change:
    """Return what a matrix [outputs, inputs] of a layer learns by a recipe; raise `TrainingError` where it cannot."""
    if recipe.mode == "scales":
        return Scales(old)
    if recipe.four_bits and not fits_grid(old):
        raise TrainingError(f"four_bits needs matrices whose inputs are multiples of {GROUP}")
    if recipe.mode == "low-rank":
        return LowRank(old, recipe, generator)
    return CoarseMatrix(old) if recipe.four_bits else WholeMatrix(old, recipe.rank)


def rounded(weight: Tensor) -> Tensor:
    """Return a matrix on its 4-bit grid, with the gradient as if it were not (straight-through, arXiv 1308.3432)."""
    return weight + (on_grid(weight) - weight).detach()
