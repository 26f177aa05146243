"""What training changed in a backbone's layers: low-rank changes of matrices, whole ones of vectors, small to ship.

Layers may have learned on the grid of 4 bits that the fast CPU kernel runs them in: then the changed matrices are
rounded to it, and packing them loses nothing. Or a matrix is replaced by what `layer.I.PART.codes`, `.scales` and
`.minima` hold of it in 4 bits (see `engine.grid`); without codes it is one on its grid, whose own they stay.

Tensors by name: `layer.I.PART.down` [rank, in] and `layer.I.PART.up` [out, rank] change a matrix by up @ down, and
`layer.I.PART.weight` or `.bias` change a norm or a bias; I counts from 0, PART is a field of `Layer`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Layer, Linear, Norm, Weights
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.grid import as_codes, from_codes, nearest_codes, on_grid
from greencode_lsp.engine.validation import check_dtype, check_finite
from greencode_lsp.reading import check_regular

ADAPTERS_FILE = "adapters.safetensors"

FORMAT = "2"

PARTS = tuple(field.name for field in fields(Layer))

MATRICES = ("qkv", "attention_out", "mlp_in", "mlp_out")

IN_FOUR_BITS = ("codes", "scales", "minima")

NAME = re.compile(r"layer\.(\d+)\.(\w+)\.(down|up|weight|bias|codes|scales|minima)")


@dataclass(frozen=True)
class Adapters:
    """Changes by the names above; `four_bits` where the changed matrices lie on the grid of 4 bits."""

    changes: Mapping[str, Tensor]
    four_bits: bool = False


def adapters_metadata(shape: Architecture, identity: str, four_bits: bool = False) -> dict[str, str]:
    """Return what a file of adapters says of itself; `identity` is that of the weights they change."""
    return {
        "format": FORMAT,
        "layers": str(shape.layers),
        "hidden_size": str(shape.hidden_size),
        "weights_sha256": identity,
        "matrices": "4 bits" if four_bits else "",
    }


def adapters_beside(exits_file: Path) -> Path | None:
    """Return the file of changes that exits were trained with, where there is one."""
    path = exits_file.with_name(ADAPTERS_FILE)
    return path if path.is_file() else None


def load_adapters(path: Path, shape: Architecture, identity: str = "") -> Adapters:
    """Return what a file holds; raise `EngineError` in one line when they are not this model's."""
    try:
        check_regular(path)
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise EngineError(f"{path} does not exist") from error
    except Exception as error:  # safetensors raises its own, undocumented types
        raise EngineError(f"{path} is not a readable safetensors file: {error}") from error
    if facts.get("format") != FORMAT:
        raise EngineError(f"{path} has format {facts.get('format')!r}, this greencode reads {FORMAT!r}; train it again")
    for name, here in (("layers", shape.layers), ("hidden_size", shape.hidden_size)):
        if facts.get(name) != str(here):
            raise EngineError(f"{path} is for a model with {name} {facts.get(name)}, this one has {here}")
    trained_on = facts.get("weights_sha256", "")
    if identity and trained_on and trained_on != identity:
        raise EngineError(f"{path} changes other weights than this model's; train it again or fetch its model")
    for name in tensors:
        match = NAME.fullmatch(name)
        if match is None or int(match[1]) >= shape.layers or match[2] not in PARTS:
            raise EngineError(f"{path}: no part of this model is called {name!r}")
        if match[3] != "codes":
            check_dtype(tensors[name], name, path)
            check_finite(tensors[name], name, path)
    return Adapters(tensors, facts.get("matrices") == "4 bits")


def merge_adapters(weights: Weights, adapters: Adapters) -> Weights:
    """Return weights with the changes in them; raise `EngineError` where a change does not fit."""
    for name in adapters.changes:
        check_used(weights, name, adapters.changes)
    try:
        layers = tuple(merged_layer(layer, index, adapters) for index, layer in enumerate(weights.layers))
    except (RuntimeError, KeyError) as error:
        raise EngineError(f"these adapters do not fit the model: {error}") from error
    return replace(weights, layers=layers)


def check_used(weights: Weights, name: str, changes: Mapping[str, Tensor]) -> None:
    """Raise `EngineError` where a change is of something that the model does not have, or is half of one."""
    match = NAME.fullmatch(name)
    part = match and getattr(weights.layers[int(match[1])], match[2])
    lacks_bias = part is not None and part.bias is None and name.endswith(".bias")
    if part is None or lacks_bias or (name.endswith(".down") and name.removesuffix("down") + "up" not in changes):
        raise EngineError(f"these adapters do not fit the model: it has nothing that {name!r} changes")


def merged_layer(layer: Layer, index: int, adapters: Adapters) -> Layer:
    """Return a layer with its changes."""
    changes = adapters.changes
    changed: dict[str, Linear | Norm] = {}
    for part in PARTS:
        old: Linear | Norm | None = getattr(layer, part)
        if old is None:
            continue
        prefix = f"layer.{index}.{part}"
        weight, bias = old.weight, old.bias
        if kept := {kind: changes[f"{prefix}.{kind}"] for kind in IN_FOUR_BITS if f"{prefix}.{kind}" in changes}:
            weight = replaced(weight, kept)
        if f"{prefix}.up" in changes:
            change = changes[f"{prefix}.up"].float() @ changes[f"{prefix}.down"].float()
            weight = added(weight, change)
        if f"{prefix}.weight" in changes:
            weight = added(weight, changes[f"{prefix}.weight"])
        if bias is not None and f"{prefix}.bias" in changes:
            bias = added(bias, changes[f"{prefix}.bias"])
        if adapters.four_bits and part in MATRICES:
            weight = on_grid(weight)
        changed[part] = replace(old, weight=weight, bias=bias)
    return replace(layer, **changed)  # type: ignore[arg-type]  # each part keeps its type


def replaced(old: Tensor, kept: Mapping[str, Tensor]) -> Tensor:
    """Return what is kept in 4 bits as the old tensor was; raise `RuntimeError` where the shapes differ."""
    if "codes" not in kept:
        kept = {**as_codes(old, nearest_codes), **kept}
    weight = from_codes(*(kept[kind] for kind in IN_FOUR_BITS))
    if old.shape != weight.shape:
        raise RuntimeError(f"a matrix of shape {list(weight.shape)} for one of shape {list(old.shape)}")
    return weight.to(old)


def added(old: Tensor, change: Tensor) -> Tensor:
    """Add in float32, and return the sum as the old tensor was; raise `RuntimeError` where the shapes differ."""
    if old.shape != change.shape:
        raise RuntimeError(f"a change of shape {list(change.shape)} for a tensor of shape {list(old.shape)}")
    return (old.float() + change.to(old.device).float()).to(old.dtype)


def low_rank(change: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return down [rank, in] and up [out, rank] whose product is the nearest one of that rank to a change [out, in]."""
    left, sizes, right = torch.linalg.svd(change.float(), full_matrices=False)
    root = sizes[:rank].sqrt()
    return root[:, None] * right[:rank], left[:, :rank] * root
