"""What runs on the one model thread, and the way back from it to the event loop."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from greencode_lsp.completion.suggestion import LoadOptions
from greencode_lsp.energy import Recorder
from greencode_lsp.server.memory import return_free_pages
from greencode_lsp.server.settings import Settings

if TYPE_CHECKING:
    from greencode_lsp.completion.completer import Completer


Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

TIDY_SECONDS = 30.0
"""Free memory goes back to the system at most once in so many seconds."""


class ModelThread(ThreadPoolExecutor):
    """One thread for all that computes with the model. Behind some of it, memory that became free is given back."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="greencode-model")
        self._tidied = time.monotonic()

    def submit(
        self, function: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Future[Result]:
        """Run a function on that thread, and tidy up behind it where that was not done for a while."""
        future = super().submit(function, *args, **kwargs)
        if time.monotonic() - self._tidied > TIDY_SECONDS:
            self._tidied = time.monotonic()
            with suppress(RuntimeError):  # the thread is ending
                super().submit(return_free_pages)
        return future


def load(options: LoadOptions, report: Callable[[str, int, int], None], ledger: Recorder) -> Completer:
    """Load a completer, on the model thread."""
    from greencode_lsp.completion.loading import load_completer

    let_go()  # of the model before this one, so that the two need not be held at once
    completer = load_completer(options, report, ledger)
    let_go()  # of the weights that were packed
    return completer


def let_go() -> None:
    """Give back memory that nothing uses any more, also where some cycle of references still holds a part of it."""
    gc.collect()
    return_free_pages()


def examine(options: LoadOptions, completer: Completer | None, bound: tuple[str, float]) -> dict[str, Any]:
    """Run the doctor, on the model thread; `bound` is the profile and the share it may lose."""
    from greencode_lsp.doctor import examine, report

    return report(examine(options, completer, *bound))


def load_options(settings: Settings) -> LoadOptions:
    """Return the part of the settings that decides what is loaded."""
    return LoadOptions(settings.model, settings.device, settings.threads)


def call_on(loop: asyncio.AbstractEventLoop, function: Callable[[object], None], argument: object) -> None:
    """Call a function on the event loop from another thread, unless that has ended."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, argument)
