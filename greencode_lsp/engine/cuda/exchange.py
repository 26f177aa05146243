"""Numbers that cross between host and device within a captured computation."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Exchange:
    """Questions [asks] that a computation takes from the host, and answers [answers] that it leaves there.

    Both lie in pinned memory that never moves, so that a graph can copy from it and to it. The host waits on an event
    before it reads answers, and before it asks anew.
    """

    def __init__(self, device: torch.device, asks: int = 1, answers: int = 1, dtype: torch.dtype = torch.long) -> None:
        on_gpu = device.type == "cuda"
        with torch.inference_mode(False):
            self._questions = torch.zeros(asks, dtype=torch.long, pin_memory=on_gpu)
            self._taken = torch.zeros(asks, dtype=torch.long, device=device)
            self._answers = torch.zeros(answers, dtype=dtype, pin_memory=on_gpu)
        self._numbers = self._questions.numpy()
        self._done: Any = torch.cuda.Event() if on_gpu else None  # type: ignore[no-untyped-call]

    def ask(self, numbers: Sequence[int]) -> None:
        """On the host, before a launch: put down the first questions; the others stay as they were."""
        self._wait()
        self._numbers[: len(numbers)] = numbers

    def taken(self) -> Tensor:
        """Within the computation: return the questions [asks] on the device."""
        return self._taken.copy_(self._questions, non_blocking=True)

    def answer(self, *numbers: Tensor) -> None:
        """Within the computation: leave tensors [...] behind one another as the answers."""
        self._answers.copy_(torch.cat([each.view(-1).to(self._answers.dtype) for each in numbers]), non_blocking=True)

    def launched(self) -> None:
        """On the host, right after a launch."""
        if self._done is not None:
            self._done.record()

    def answers(self) -> list[float]:
        """On the host: wait for the last launch and return what it answered."""
        self._wait()
        found: list[float] = self._answers.tolist()
        return found

    def _wait(self) -> None:
        if self._done is not None:
            self._done.synchronize()
