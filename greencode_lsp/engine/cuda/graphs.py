"""CUDA graphs of computations that read and write the same memory every time."""

import logging
from collections.abc import Callable
from typing import Any

import torch

log = logging.getLogger(__name__)

Computation = Callable[[], None]
"""Reads and writes tensors that never move, and may be repeated at will: capturing runs it a few times."""

WARM_UPS = 2
"""Runs before a capture: libraries set themselves up in the first ones, which a graph must not hold."""


class Graphs:
    """Captures computations. Where graphs are off or fail, computations run as they are."""

    def __init__(self, device: torch.device, enabled: bool) -> None:
        self.enabled = enabled
        self._device = device
        self._pool: Any = None
        self._stream: Any = None

    def prepare(self, computation: Computation) -> Computation:
        """Return the fastest way to repeat a computation, having run it at most a few times."""
        if not self.enabled:
            return computation
        try:
            return self.capture(computation)
        except Exception as error:  # whatever a driver, a library or PyTorch raises, the computation itself is sound
            self.enabled = False
            reason = str(error).partition("\n")[0]
            log.warning("CUDA graphs do not work here, running without them: %s", reason)
            return computation

    def capture(self, computation: Computation) -> Computation:
        """Capture a computation. All graphs share a pool: they run one at a time and leave nothing in it."""
        here = torch.cuda.current_stream(self._device)
        # One stream for all captures: libraries keep workspace memory for every stream they see.
        aside = self._stream = self._stream or torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                computation()
        here.wait_stream(aside)
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        # Other threads may call CUDA meanwhile, a meter for one.
        with torch.cuda.graph(graph, pool=self._pool, stream=aside, capture_error_mode="thread_local"):
            computation()
        return graph.replay
