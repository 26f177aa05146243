"""What every adapter does: read `config.json` the way Hugging Face wrote it, and fuse tensors."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.errors import EngineError


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


def read_head(tensors: Mapping[str, Tensor], embedding: Tensor) -> Linear:
    """Return the LM head: a matrix of its own, or the embedding where the two are tied."""
    if "lm_head.weight" in tensors:
        return Linear(tensors["lm_head.weight"])
    return Linear(embedding)


def stacked(tensors: Mapping[str, Tensor], *names: str) -> Linear:
    """Stack projections that read the same input into one, with their biases where the model has them."""
    weight = torch.cat([tensors[f"{name}.weight"] for name in names])
    if f"{names[0]}.bias" not in tensors:
        return Linear(weight)
    return Linear(weight, torch.cat([tensors[f"{name}.bias"] for name in names]))
