"""Picking a family's tensors, each of the shape that its configuration asks for, and fusing them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Linear, Norm
from greencode_lsp.engine.checkpoint import Checkpoint
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.validation import check_tensor


def source_of(tensors: Mapping[str, Tensor], name: str) -> str:
    """Return which file a tensor is from, as error messages name it."""
    return str(tensors.source_of(name)) if isinstance(tensors, Checkpoint) else "the model"


def take(tensors: Mapping[str, Tensor], name: str, *sizes: int) -> Tensor:
    """Return the tensor of that name; raise `EngineError` unless it has this shape and finite numbers."""
    return check_tensor(tensors[name], name, source_of(tensors, name), *sizes)


def read_embedding(tensors: Mapping[str, Tensor], name: str, shape: Architecture) -> Tensor:
    """Pick the embedding of tokens, [vocabulary, hidden]."""
    return take(tensors, name, shape.vocabulary_size, shape.hidden_size)


def read_head(
    tensors: Mapping[str, Tensor], embedding: Tensor, config: Mapping[str, Any], names: Sequence[str] = ("lm_head",)
) -> Linear:
    """Return the LM head: a matrix of its own, or the embedding where the two are tied."""
    for name in names:
        if f"{name}.weight" in tensors:
            return Linear(take(tensors, f"{name}.weight", *embedding.shape))
    if config.get("tie_word_embeddings") is False:
        raise EngineError(f"the model has no tensor '{names[0]}.weight', and its config.json says that it has one")
    return Linear(embedding)


def read_norm(tensors: Mapping[str, Tensor], name: str, size: int, biased: bool = True) -> Norm:
    """Pick one norm over `size` numbers: a layer norm with its bias, or an RMS norm, which has none."""
    return Norm(take(tensors, f"{name}.weight", size), take(tensors, f"{name}.bias", size) if biased else None)


def stacked(
    tensors: Mapping[str, Tensor], names: Sequence[str], rows: Sequence[int], inputs: int, biased: bool
) -> Linear:
    """Stack projections [rows, inputs] that read the same input into one, and their biases where there are some."""
    weights = [take(tensors, f"{name}.weight", count, inputs) for name, count in zip(names, rows, strict=True)]
    if not biased:
        return Linear(torch.cat(weights))
    biases = [take(tensors, f"{name}.bias", count) for name, count in zip(names, rows, strict=True)]
    return Linear(torch.cat(weights), torch.cat(biases))


def single(tensors: Mapping[str, Tensor], name: str, sizes: tuple[int, int], biased: bool) -> Linear:
    """Pick one projection of this shape [out, in]."""
    return stacked(tensors, (name,), sizes[:1], sizes[1], biased)


def query_key_value(tensors: Mapping[str, Tensor], prefix: str, shape: Architecture, biased: bool) -> Linear:
    """Stack the projections `q_proj`, `k_proj` and `v_proj` of a layer's attention."""
    names = [f"{prefix}.{name}_proj" for name in "qkv"]
    return stacked(tensors, names, (shape.attention_size, shape.kv_size, shape.kv_size), shape.hidden_size, biased)
