"""What runs on the one model thread, and the way back from it to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greencode_lsp.completion.suggestion import LoadOptions
from greencode_lsp.energy import Recorder
from greencode_lsp.server.settings import Settings

if TYPE_CHECKING:
    from greencode_lsp.completion.completer import Completer


def load(options: LoadOptions, report: Callable[[str, int, int], None], ledger: Recorder) -> Completer:
    """Load a completer, on the model thread."""
    from greencode_lsp.completion.loading import load_completer

    return load_completer(options, report, ledger)


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
