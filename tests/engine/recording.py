"""A stand-in for CUDA graphs on a machine without a GPU: operators are recorded once and repeated on the same memory.

As with a graph, nothing of Python runs again: what a computation took from Python's variables stays as it was, and what
it reads from memory is read anew. A computation that waits for a number from the device cannot be recorded.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from greencode_lsp.engine.cuda.graphs import Computation, Graphs

FORBIDDEN = ("aten._local_scalar_dense.default", "aten.nonzero.default", "aten.equal.default")


class RecordedGraphs(Graphs):
    """Records instead of capturing, and counts."""

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"), enabled=True)
        self.captures = 0

    def capture(self, computation: Computation) -> Computation:
        self.captures += 1
        recording = Recording()
        with recording:
            computation()
        return recording.replay


class Recording(TorchDispatchMode):
    """The operators of one run, their arguments and where their results lie."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(
        self, func: Any, types: Sequence[Any], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if str(func) in FORBIDDEN:
            raise RuntimeError(f"{func} waits for the device, which a capture may not")
        result = func(*args, **(kwargs or {}))
        self._calls.append((func, args, kwargs or {}, result))
        return result

    @torch.inference_mode()
    def replay(self) -> None:
        """Do it all again, every result where it was."""
        for func, args, kwargs, before in self._calls:
            for old, new in zip(tree_leaves(before), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)
