"""What every adapter does: read `config.json` the way Hugging Face wrote it, and fuse tensors."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Linear, Norm
from greencode_lsp.engine.errors import EngineError

Activation = Literal["silu", "relu", "gelu", "gelu_tanh"]

ACTIVATIONS: dict[str, Activation] = {
    "silu": "silu",
    "relu": "relu",
    "gelu": "gelu",
    "gelu_fast": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}
"""Ours by Hugging Face's names; three of those are one function written in three ways."""


def integer(config: Mapping[str, Any], *names: str, default: int | None = None) -> int:
    """Return the first of these keys that is set, as an integer; raise `EngineError` when none is."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int):
            return value
    if default is not None:
        return default
    raise EngineError(f"config.json lacks {names[0]!r}")


def end_of_text(config: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the token ids that end a text: `eos_token_id`, which may be one number, a list or null."""
    value = config.get("eos_token_id")
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (int(value),)


def activation(config: Mapping[str, Any], key: str, default: str) -> Activation:
    """Return the MLP's activation; raise `EngineError` for one that greencode does not have."""
    name = config.get(key) or default
    if name not in ACTIVATIONS:
        raise EngineError(f"config.json: {key} {name!r} is unknown; greencode knows {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def context_in_window(config: Mapping[str, Any], default_window: int | None = None) -> int:
    """Return how many tokens fit before a sliding attention window would hide the first of them.

    A window shorter than the context is what some models can *read*, not what they need: within it, sliding and
    full attention are the same, and nothing has to be forgotten.
    """
    context = integer(config, "max_position_embeddings")
    window = config.get("sliding_window", default_window)
    return context if window is None else min(context, int(window))


def refuse_sliding_window(config: Mapping[str, Any]) -> None:
    """Raise `EngineError` where only some layers attend through a window (Qwen2 and 3, off in all released ones)."""
    if config.get("use_sliding_window"):
        raise EngineError("this model uses sliding window attention; set use_sliding_window to false in config.json")


def read_head(tensors: Mapping[str, Tensor], embedding: Tensor, *names: str) -> Linear:
    """Return the LM head: a matrix of its own, or the embedding where the two are tied."""
    for name in names or ("lm_head",):
        if f"{name}.weight" in tensors:
            return Linear(tensors[f"{name}.weight"])
    return Linear(embedding)


def read_norm(tensors: Mapping[str, Tensor], name: str) -> Norm:
    """Pick one layer norm with its bias. Variants without affine norms are not in use."""
    return Norm(tensors[f"{name}.weight"], tensors[f"{name}.bias"])


def stacked(tensors: Mapping[str, Tensor], *names: str) -> Linear:
    """Stack projections that read the same input into one, with their biases where the model has them."""
    weight = torch.cat([tensors[f"{name}.weight"] for name in names])
    if f"{names[0]}.bias" not in tensors:
        return Linear(weight)
    return Linear(weight, torch.cat([tensors[f"{name}.bias"] for name in names]))
