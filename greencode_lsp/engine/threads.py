"""PyTorch's threads, which wait awake for milliseconds after each job of theirs."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_own_choice: int | None = None


def use_threads(threads: int) -> None:
    """Have PyTorch compute on so many threads; 0 is its own choice, also after another number was asked for."""
    global _own_choice
    if threads > 0 and _own_choice is None:
        _own_choice = torch.get_num_threads()
    if _own_choice is not None:
        torch.set_num_threads(threads or _own_choice)


@contextmanager
def alone() -> Iterator[None]:
    """Have PyTorch compute on the calling thread alone: for jobs so small that its others would mostly wait.

    They wait on the processors that the kernel's threads need: 8 to 16 rows behind a job that was shared out took 40 %
    longer on 2 cores. And more is shared out than one would think, looking up six rows of 576 codes for instance.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
