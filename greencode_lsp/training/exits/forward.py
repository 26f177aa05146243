"""A backbone whose layers learn: the engine's computation on whole texts, batched and differentiable."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from greencode_lsp.engine.adapters import MATRICES
from greencode_lsp.engine.architecture import Architecture, Layer, LearnedPositions, Linear, Norm
from greencode_lsp.engine.backbone import Backbone, apply, normalise, rotate, run_mlp
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.changes import Change, Vector, change_of
from greencode_lsp.training.exits.recipe import Recipe

PARTS = (*MATRICES, "attention_norm", "mlp_norm")


class TunableBackbone(nn.Module):
    """The layers of a float32 backbone, which stays as it is, with changes that learn.

    `low-rank`: every matrix W becomes W + up @ down (LoRA, arXiv 2106.09685). `full`: matrices, biases and norms of
    the layers learn themselves. `scales`: matrices keep their codes of 4 bits, and the scale and the centre of each
    group learn, and the norms. Embedding, final norm and head stay: what is compared is said in one language. The first
    `frozen_layers` stay, too. With `four_bits`, what comes of the matrices is rounded to the grid that the fast CPU
    kernel computes with.
    """

    def __init__(self, backbone: Backbone, recipe: Recipe) -> None:
        super().__init__()
        self.shape, self.base, self._rotations = backbone.shape, backbone.weights, backbone.rotations
        self.frozen_layers, self.checkpointing = recipe.frozen_layers, recipe.gradient_checkpointing
        self.changes = nn.ModuleDict()
        generator = torch.Generator().manual_seed(recipe.seed)
        for index in range(self.frozen_layers, self.shape.layers):
            for part in PARTS if recipe.mode != "low-rank" else MATRICES:
                for kind, tensor in tensors_of(getattr(self.base.layers[index], part)):
                    if kind == "weight" and part in MATRICES:
                        self.changes[key(index, part, kind)] = change_of(tensor, recipe, generator)
                    elif recipe.mode != "low-rank":
                        self.changes[key(index, part, kind)] = Vector(tensor, kind)

    def forward(self, hidden: Tensor, depths: Collection[int]) -> dict[int, Tensor]:
        """Return the states by depth, [texts, rows, hidden] each, for what enters the first layer that learns."""
        rotary = self._rotations(slice(hidden.shape[1]))
        found: dict[int, Tensor] = {}
        for index in range(self.frozen_layers, self.shape.layers):
            if self.checkpointing and torch.is_grad_enabled():
                hidden = checkpoint(self._tuned, index, hidden, rotary, use_reentrant=False)
            else:
                hidden = self._tuned(index, hidden, rotary)
            if index + 1 in depths:
                found[index + 1] = hidden
        return found

    @torch.no_grad()
    def original(self, tokens: Tensor, depths: Collection[int]) -> dict[int, Tensor]:
        """Return the states by depth of the layers as they were, for tokens [texts, rows]; 0 is what enters them."""
        hidden = self.embed(tokens)
        rotary = self._rotations(slice(tokens.shape[1]))
        found = {0: hidden} if 0 in depths else {}
        for index, layer in enumerate(self.base.layers):
            hidden = self._run(layer, hidden, rotary)
            if index + 1 in depths:
                found[index + 1] = hidden
        return found

    def embed(self, tokens: Tensor) -> Tensor:
        """Return what enters the first layer."""
        hidden, positions = self.base.embedding[tokens], self.base.positions
        if isinstance(positions, LearnedPositions):
            hidden = hidden + positions.table[positions.offset : positions.offset + tokens.shape[1]]
        return hidden

    def _tuned(self, index: int, hidden: Tensor, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
        return self._run(self._changed(index, self.base.layers[index]), hidden, rotary)

    def _run(self, layer: Layer, hidden: Tensor, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
        shape = self.shape
        attended = hidden + attend(shape, layer, normalise(shape, hidden, layer.attention_norm), rotary)
        return attended + run_mlp(shape, layer, hidden if shape.parallel_residual else attended)

    def _changed(self, index: int, layer: Layer) -> Layer:
        parts = {part: self._changed_part(index, part, getattr(layer, part)) for part in PARTS}
        return replace(layer, **parts)  # type: ignore[arg-type]  # each part keeps its type

    def _changed_part(self, index: int, part: str, old: Linear | Norm) -> Linear | Norm:
        tensors = {kind: (key(index, part, kind), tensor) for kind, tensor in tensors_of(old)}
        return replace(
            old,
            **{kind: self.changes[name](tensor) for kind, (name, tensor) in tensors.items() if name in self.changes},
        )

    @torch.no_grad()
    def adapters(self) -> dict[str, Tensor]:
        """Return the changes as the engine's adapters, as they are shipped."""
        return {
            f"{prefix}.{kind}": tensor.cpu().contiguous()
            for prefix, change, old in self._learned()
            for kind, tensor in change.kept(old).items()
        }

    @torch.no_grad()
    def take(self, adapters: Mapping[str, Tensor]) -> None:
        """Take over adapters in place of the changes that were learned, as `adapters` names them.

        Raises `TrainingError` where they change something else, or in another way, than what learns here.
        """
        left = dict(adapters)
        try:
            for prefix, change, old in self._learned():
                change.take({kind: left.pop(f"{prefix}.{kind}").to(old.device) for kind in change.kinds}, old)
        except (KeyError, RuntimeError) as error:
            raise TrainingError(f"the adapters to go on from were trained by another recipe: {error}") from error
        if left:
            raise TrainingError(f"the adapters to go on from change what this recipe leaves as it is: {min(left)}")

    def _learned(self) -> Iterator[tuple[str, Change, Tensor]]:
        """Yield each change, where it belongs among adapters, and the tensor that it changes."""
        for name, change in self.changes.items():
            index, part, kind = unkey(name)
            yield f"layer.{index}.{part}", cast(Change, change), getattr(getattr(self.base.layers[index], part), kind)


def attend(shape: Architecture, layer: Layer, hidden: Tensor, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
    """Return what attention adds to normalised hidden [texts, rows, hidden]; rows see themselves and those before."""
    texts, rows, _ = hidden.shape
    fused = apply(layer.qkv, hidden).view(texts, rows, shape.heads + 2 * shape.kv_heads, shape.head_size)
    queries, keys, values = torch.split(fused, [shape.heads, shape.kv_heads, shape.kv_heads], dim=2)
    if layer.query_norm is not None and layer.key_norm is not None:
        queries, keys = normalise(shape, queries, layer.query_norm), normalise(shape, keys, layer.key_norm)
    if rotary is not None:
        queries, keys = rotate(queries, *rotary), rotate(keys, *rotary)
    attended = functional.scaled_dot_product_attention(
        queries.transpose(1, 2),
        keys.to(queries.dtype).transpose(1, 2),
        values.to(queries.dtype).transpose(1, 2),
        is_causal=True,
        enable_gqa=shape.heads != shape.kv_heads,
    )  # [texts, heads, rows, head_size]
    return apply(layer.attention_out, attended.transpose(1, 2).reshape(texts, rows, shape.heads * shape.head_size))


def tensors_of(part: Linear | Norm) -> list[tuple[str, Tensor]]:
    """Return the tensors of a part by their field's name."""
    return [(kind, tensor) for kind, tensor in (("weight", part.weight), ("bias", part.bias)) if tensor is not None]


def key(index: int, part: str, kind: str) -> str:
    """Name a parameter; PyTorch takes no points in names."""
    return f"{index}-{part}-{kind}"


def unkey(name: str) -> tuple[int, str, str]:
    """Undo `key`."""
    index, part, kind = name.split("-")
    return int(index), part, kind
