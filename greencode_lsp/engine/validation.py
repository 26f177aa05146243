"""What tensors must be before anything computes with them: a wrong size in the kernel would write over memory.

Files of weights come from strangers. Each tensor of a model, of its exits, KV projections, draft head and changes goes
through `check_tensor`, which knows its name, its file and the shape that the model's `config.json` asks for.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from greencode_lsp.engine.errors import EngineError


def check_tensor(tensor: Tensor, name: str, source: object, *sizes: int | None) -> Tensor:
    """Return a tensor of finite floating-point numbers whose shape is `sizes`, where None stands for any size.

    `source` says which file it is from. Raises `EngineError` in one line that names both, what was found, and what
    was wanted.
    """
    check_dtype(tensor, name, source)
    check_shape(tensor, name, source, *sizes)
    check_finite(tensor, name, source)
    return tensor


def check_dtype(tensor: Tensor, name: str, source: object) -> None:
    """Raise `EngineError` unless a tensor holds floating-point numbers."""
    if not tensor.is_floating_point():
        found = str(tensor.dtype).removeprefix("torch.")
        raise EngineError(f"{source}: tensor {name!r} is of type {found}, wanted floating-point numbers")


def converted(tensors: Mapping[str, Tensor], source: object, dtype: torch.dtype = torch.float) -> dict[str, Tensor]:
    """Return tensors in one number format; raise `EngineError` where one holds no floating-point numbers."""
    for name, tensor in tensors.items():
        check_dtype(tensor, name, source)
    return {name: tensor.to(dtype) for name, tensor in tensors.items()}


def check_shape(tensor: Tensor, name: str, source: object, *sizes: int | None) -> None:
    """Raise `EngineError` unless a tensor has this shape, where None stands for any size but 0."""
    found = tensor.shape
    if len(found) != len(sizes) or any(
        here != size if size is not None else not here for here, size in zip(found, sizes, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in sizes)
        raise EngineError(f"{source}: tensor {name!r} has shape {list(found)}, wanted [{wanted}]")


def check_finite(tensor: Tensor, name: str, source: object) -> None:
    """Raise `EngineError` where a number is NaN or infinite."""
    if tensor.numel() and not all(bool(torch.isfinite(end)) for end in tensor.aminmax()):  # NaN ends up in both
        kind = str(tensor.dtype).removeprefix("torch.")
        raise EngineError(f"{source}: tensor {name!r} holds NaN or infinite numbers as {kind}, wanted finite ones")


def check_token_ids(token_ids: Sequence[int], vocabulary_size: int) -> None:
    """Raise `EngineError` unless every token id is one of the model's vocabulary."""
    if token_ids and not (min(token_ids) >= 0 and max(token_ids) < vocabulary_size):
        wrong = next(each for each in token_ids if not 0 <= each < vocabulary_size)
        raise EngineError(
            f"token id {wrong} is not in the model's vocabulary, wanted 0 to {vocabulary_size - 1}; "
            "does the tokenizer belong to this model?"
        )
