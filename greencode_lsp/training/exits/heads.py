"""Exit heads as PyTorch modules, computing what the engine computes, with parameters in float32."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from greencode_lsp.engine.architecture import Architecture, Linear, Norm
from greencode_lsp.engine.backbone import normalise, translate
from greencode_lsp.engine.exits import ExitHead, Translator, changed_head
from greencode_lsp.training.errors import TrainingError


class TrainableNorm(nn.Module):
    """A norm that begins as a copy of another."""

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        self.weight = nn.Parameter(norm.weight.detach().float().clone())
        self.bias = None if norm.bias is None else nn.Parameter(norm.bias.detach().float().clone())

    def begin_as(self, norm: Norm) -> None:
        """Take over a trained norm."""
        self.weight.copy_(norm.weight)
        if self.bias is not None and norm.bias is not None:
            self.bias.copy_(norm.bias)

    def as_norm(self) -> Norm:
        """Return it as the engine holds norms; the tensors are shared."""
        return Norm(self.weight, self.bias)


REACH = 2.0
"""How large a translator's output is against the state it is added to, for weights of size 1; 2 to 4 learn soonest."""


class TrainableExit(nn.Module):
    """One exit's norm and, with a width above 0, a translator that begins by changing nothing.

    Hidden states grow with depth (SmolLM2: from 4 to 26). What a translator adds is measured in their size, `scale`,
    or optimizers, whose steps know no sizes, would need ten times as many to move the deep ones.
    """

    scale: Tensor

    def __init__(self, shape: Architecture, final_norm: Norm, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        self.norm = TrainableNorm(final_norm)
        self.translated = width > 0
        if self.translated:
            size = shape.hidden_size
            neutral = Norm(torch.ones(size), torch.zeros(size) if shape.norm == "layer" else None)
            self.mlp_norm = TrainableNorm(neutral)
            rows = 2 * width if shape.gated else width
            self.mlp_in = nn.Parameter(torch.randn(rows, size, generator=generator) * size**-0.5)
            self.mlp_out = nn.Parameter(torch.zeros(size, width))
        self.register_buffer("scale", torch.ones(()))

    def begin_as(self, head: ExitHead) -> None:
        """Take over a trained head on the same device, whose translator has the same width."""
        self.norm.begin_as(head.norm)
        if head.translator is not None:
            self.mlp_norm.begin_as(head.translator.mlp_norm)
            self.mlp_in.copy_(head.translator.mlp_in.weight)
            self.mlp_out.copy_(head.translator.mlp_out.weight / self.scale)

    def width(self) -> int:
        """Return the translator's width, 0 where there is none."""
        return self.mlp_out.shape[1] if self.translated else 0

    def as_head(self) -> ExitHead:
        """Return it as the engine holds exit heads; the tensors are shared."""
        if not self.translated:
            return ExitHead(self.norm.as_norm())
        out = Linear(self.mlp_out * self.scale)
        translator = Translator(self.mlp_norm.as_norm(), Linear(self.mlp_in), out)
        return ExitHead(self.norm.as_norm(), translator)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return what the shared head reads, [..., hidden], for raw hidden states [..., hidden]."""
        head = self.as_head()
        return normalise(self.shape, translate(self.shape, head, hidden), head.norm)


def typical_size(hidden: Tensor) -> Tensor:
    """Return the median size [...] of states [rows, ..., hidden]: a few, a text's first, are a hundred times larger."""
    return hidden.float().square().mean(dim=-1).sqrt().median(dim=0).values


class TrainableExits(nn.Module):
    """The heads of several exits, by depth."""

    def __init__(self, shape: Architecture, final_norm: Norm, depths: Sequence[int], width: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.depths = tuple(depths)
        self.exits = nn.ModuleList(TrainableExit(shape, final_norm, width, generator) for _ in depths)

    def forward(self, hidden: Tensor) -> list[Tensor]:
        """Return per exit what the shared head reads, [rows, hidden], for hidden [rows, exits, hidden]."""
        return [module(hidden[:, index]) for index, module in enumerate(self.exits)]

    @torch.no_grad()
    def measure(self, hidden: Tensor) -> None:
        """Set every exit's scale by typical states [rows, exits, hidden]; before training only."""
        for module, size in zip(self._modules_by_depth(), typical_size(hidden), strict=True):
            module.scale.fill_(REACH * float(size))

    @torch.no_grad()
    def begin_as(self, heads: Mapping[int, ExitHead]) -> None:
        """Take over trained heads, by depth; raise `TrainingError` where one is missing or of another width."""
        for depth, module in zip(self.depths, self._modules_by_depth(), strict=True):
            if depth not in heads:
                raise TrainingError(f"the exits to go on from have none after {depth} layers, only {sorted(heads)}")
            if (width := width_of(heads[depth])) != module.width():
                raise TrainingError(
                    f"the exit after {depth} layers to go on from has width {width}, the recipe {module.width()}: "
                    f"give --width {width}"
                )
            module.begin_as(heads[depth])

    def _modules_by_depth(self) -> list[TrainableExit]:
        return [module for module in self.exits if isinstance(module, TrainableExit)]

    def as_heads(self) -> dict[int, ExitHead]:
        """Return the heads by depth, without gradients."""
        modules = self._modules_by_depth()
        return {depth: detached(module.as_head()) for depth, module in zip(self.depths, modules, strict=True)}


def width_of(head: ExitHead) -> int:
    """Return the width of a head's translator, 0 where it has none."""
    return 0 if head.translator is None else head.translator.mlp_out.weight.shape[1]


def detached(head: ExitHead) -> ExitHead:
    """Return a head whose tensors no longer learn."""
    return changed_head(head, Tensor.detach)
