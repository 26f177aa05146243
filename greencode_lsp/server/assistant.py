"""Between protocol and model: loading, debounce, latest wins, cancellation, pauses. Knows no LSP types.

Everything here runs on the event loop, except what is handed to the one model thread. Torch is imported there too,
so that the client has its answer to `initialize` at once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

from greencode_lsp.completion.other_files import OtherFiles, head_of, piece_at
from greencode_lsp.completion.profiles import ProfileError, loss_note, resolve_profile
from greencode_lsp.completion.suggestion import CompletionRequest, LoadOptions, Suggestion
from greencode_lsp.energy import LedgerThread
from greencode_lsp.errors import UserError
from greencode_lsp.policy import BundlePolicy
from greencode_lsp.server.model_thread import ModelThread, call_on, examine, load, load_options
from greencode_lsp.server.payloads import Kind
from greencode_lsp.server.place import Place
from greencode_lsp.server.power import on_battery
from greencode_lsp.server.rhythm import Rhythm
from greencode_lsp.server.rules import WHILE_TYPING, excluded_path, excluding_pattern, objection, reason_against
from greencode_lsp.server.settings import Settings

if TYPE_CHECKING:
    from greencode_lsp.completion.completer import Completer

log = logging.getLogger(__name__)

REMEMBERED_SUGGESTIONS = 256


class Listener(Protocol):
    """Who is told what happens. All calls come on the event loop."""

    def status_changed(self, kind: Kind, busy: bool, message: str) -> None:
        """Tell the user how things stand."""

    def completed(self, document: str, suggestion: Suggestion) -> None:
        """Tell the user what a completion took."""

    def warned(self, message: str) -> None:
        """Show the user one line that asks for attention once."""

    def load_progress(self, stage: str, done: int, total: int) -> None:
        """Tell the user how far loading is; `stage` "" means it has ended."""


class Assistant:
    """The server's one model and all that goes on around it."""

    def __init__(self, listener: Listener, ledger: LedgerThread) -> None:
        self.settings = Settings()
        self.ledger = ledger
        self.profile = self.settings.profile
        self._listener = listener
        self._model_thread = ModelThread()
        self._configured = asyncio.Event()
        self._loading: asyncio.Task[Completer | None] | None = None
        self._running: dict[str, asyncio.Task[list[Suggestion]]] = {}
        self._rhythm = Rhythm()
        self._other_files = OtherFiles()
        self._last_place: Place | None = None
        self._stops: set[threading.Event] = set()
        self._suggestions: OrderedDict[str, Suggestion] = OrderedDict()
        self._paused_until: float | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._problem: tuple[Kind, str] | None = None
        self._not_here = ""
        self._loss_notes: set[str] = set()

    # Settings and loading

    def configure(self, settings: Settings) -> None:
        """Take new settings; load the model again where they name another one."""
        old, self.settings = self.settings, settings
        self._not_here = ""
        if settings.profile != old.profile:
            self.profile = settings.profile
        if settings.exclude != old.exclude:
            self._other_files.keep(
                lambda piece: excluding_pattern(piece.path, piece.language, settings.exclude) is None
            )
        if settings.ledger_days != old.ledger_days or self._loading is None:
            self.ledger.keep(settings.ledger_days)
        reload = load_options(old) != load_options(settings)
        if self._loading is not None and not reload:
            self._check_profile()
            return
        self._loading = asyncio.ensure_future(self._load(load_options(settings)))
        self._configured.set()

    async def completer(self) -> Completer | None:
        """Return the completer once it is loaded, None when it could not be. Waits for the first settings, too."""
        await self._configured.wait()
        assert self._loading is not None
        return await asyncio.shield(self._loading)

    def set_profile(self, name: str) -> None:
        """Decode by another profile from now on; raise `ProfileError` when that cannot be."""
        completer = self.loaded
        resolve_profile(name, completer.policy if completer else BundlePolicy())
        self.profile = name
        self._tell_loss()
        self._announce()

    async def _load(self, options: LoadOptions) -> Completer | None:
        loop = asyncio.get_running_loop()
        self._problem = None
        self._listener.status_changed("normal", True, f"loading {options.model}")

        def report(stage: str, done: int, total: int) -> None:
            loop.call_soon_threadsafe(self._listener.load_progress, stage, done, total)

        try:
            completer = await loop.run_in_executor(self._model_thread, load, options, report, self.ledger)
        except UserError as error:
            self._problem = ("error", str(error))
            return None
        except Exception as error:
            log.exception("loading %s failed", options.model)
            self._problem = ("error", f"loading {options.model} failed: {error}")
            return None
        finally:
            self._listener.load_progress("", 1, 1)
            loop.call_soon(self._check_profile)
        return completer

    async def examine(self) -> dict[str, Any]:
        """Check everything this server needs, with the model that is loaded."""
        completer = await self.completer()
        loop = asyncio.get_running_loop()
        bound = (self.profile, self.settings.max_quality_loss / 100)
        return await loop.run_in_executor(self._model_thread, examine, load_options(self.settings), completer, bound)

    def _check_profile(self) -> None:
        """Fall back to auto, saying so, where the loaded bundle cannot do the chosen profile."""
        completer = self.loaded
        if completer is not None:
            self._problem = None
            try:
                resolve_profile(self.profile, completer.policy)
            except ProfileError as error:
                self._problem = ("warning", f"{error}; using auto")
                self.profile = "auto"
            self._tell_loss()
        self._announce()

    def _tell_loss(self) -> None:
        """Tell the user, once, where the allowed quality loss is none that the model is calibrated for."""
        if (note := self._loss_note()) and note not in self._loss_notes:
            self._loss_notes.add(note)
            log.warning("%s", note)
            self._listener.warned(f"greencode: {note}")

    def _loss_note(self) -> str:
        completer = self.loaded
        if completer is None:
            return ""
        return loss_note(self.profile, completer.policy, self.settings.max_quality_loss / 100)

    @property
    def loaded(self) -> Completer | None:
        """The completer, None while it loads and where loading has failed."""
        task = self._loading
        return task.result() if task is not None and task.done() and not task.cancelled() else None

    # Completing

    async def suggest(self, place: Place, automatic: bool) -> list[Suggestion]:
        """Return suggestions, the best first; none when a newer request for the document came in between.

        Cancelling this coroutine stops the computation.
        """
        await self._configured.wait()
        if self.paused or not self._completes_in(place):
            return []
        if (previous := self._running.get(place.document)) is not None:
            previous.cancel()
        task = asyncio.ensure_future(self._suggest(place, automatic))
        self._running[place.document] = task
        try:
            return await task
        except asyncio.CancelledError:
            if current_task_is_cancelled():
                raise
            return []  # superseded
        finally:
            if self._running.get(place.document) is task:
                del self._running[place.document]

    def _completes_in(self, place: Place) -> bool:
        """Say whether a document gets suggestions at all; where it gets none, the status says why."""
        reason = reason_against(place, self.settings)
        if reason != self._not_here:
            self._not_here = reason
            self._announce()
        return not reason

    async def _suggest(self, place: Place, automatic: bool) -> list[Suggestion]:
        """Find suggestions: in the cache at once; by computing where nothing objects and no other key comes."""
        stop = threading.Event()
        request = self._request(place, automatic, stop)
        alternatives = 1 if automatic else self.settings.alternatives
        suggestions = await self._recall(request) if alternatives == 1 else []
        if not suggestions:
            if automatic and objection(WHILE_TYPING, place, self.settings):
                return []
            if automatic:
                await asyncio.sleep(self._debounce_seconds(place))
            completer = await self.completer()
            if completer is None:
                return []
            suggestions = await self._compute(completer, request, alternatives, stop)
        suggestions = [suggestion.with_line_ends(place.line_end) for suggestion in suggestions]
        for suggestion in reversed(suggestions):
            self._remember(suggestion)
            self._listener.completed(place.document, suggestion)
        return suggestions

    def _request(self, place: Place, automatic: bool, stop: threading.Event) -> CompletionRequest:
        """Return what to compute: of what nobody asked for, only as much as is likely to be taken."""
        return CompletionRequest(
            document=place.document,
            prefix=place.prefix,
            suffix=place.suffix,
            other_files=self._seen_from(place),
            profile=self._profile_now(),
            max_tokens=self.settings.max_tokens,
            multiline=self.settings.multiline,
            max_quality_loss=self.settings.max_quality_loss / 100,
            least_certain=self.settings.certainty / 100 if automatic else 0.0,
            cancelled=stop.is_set,
            language=place.language,
            path=place.path,
        )

    async def _recall(self, request: CompletionRequest) -> list[Suggestion]:
        """Look into the cache, without waiting for a model that is still loading."""
        if (completer := self.loaded) is None:
            return []
        try:
            known = await asyncio.wrap_future(self._model_thread.submit(completer.recall, request))
        except UserError:
            return []  # computing will say what is wrong
        return [known] if known is not None else []

    async def _compute(
        self, completer: Completer, request: CompletionRequest, alternatives: int, stop: threading.Event
    ) -> list[Suggestion]:
        loop = asyncio.get_running_loop()
        computing = self._model_thread.submit(completer.complete_several, request, alternatives)
        self._stops.add(stop)
        self._announce()

        def computed(_: object) -> None:
            self._stops.discard(stop)
            self._announce()

        computing.add_done_callback(lambda done: call_on(loop, computed, done))
        try:
            suggestions = await asyncio.wrap_future(computing)
        except UserError as error:
            self._problem = ("warning", str(error))
            log.warning("a completion failed: %s", error)
            return []
        finally:
            stop.set()
        if suggestions:
            self._rhythm.answered(suggestions[0].timings_ms.total / 1000)
        return suggestions

    def _debounce_seconds(self, place: Place) -> float:
        fixed = self.settings.debounce_ms
        return self._rhythm.wait_seconds(place.prefix) if isinstance(fixed, str) else fixed / 1000

    def _profile_now(self) -> str:
        """Return the profile to decode by: on battery, auto is eco where the bundle can do that."""
        completer = self.loaded
        if self.profile != "auto" or completer is None or not on_battery():
            return self.profile
        try:
            return resolve_profile("eco", completer.policy).name
        except ProfileError:
            return self.profile

    # What a person does beside asking

    def typed(self) -> None:
        """Note that a document has changed."""
        self._rhythm.typed()

    def opened(self, place: Place) -> None:
        """Note that a document has been opened: its beginning may be of use elsewhere."""
        if not excluded_path(place, self.settings):
            self._other_files.add(head_of(place.document, place.language, place.path, place.prefix + place.suffix))

    def _seen_from(self, place: Place) -> tuple[str, ...]:
        """Return pieces of other files; where the person last was in another one becomes such a piece."""
        last, self._last_place = self._last_place, place
        if last is not None and last.document != place.document and not excluded_path(last, self.settings):
            self._other_files.add(piece_at(last.document, last.language, last.path, last.prefix, last.suffix))
        if not self.settings.other_files:
            return ()
        return self._other_files.seen_from(place.document, place.language, place.path, place.prefix)

    def close_document(self, document: str) -> None:
        """Stop computing for a document and forget it."""
        if (task := self._running.get(document)) is not None:
            task.cancel()
        self._other_files.forget(document)
        if (completer := self.loaded) is not None:
            self._model_thread.submit(completer.forget, document)

    # What became of suggestions

    def _remember(self, suggestion: Suggestion) -> None:
        self._suggestions[suggestion.id] = suggestion
        while len(self._suggestions) > REMEMBERED_SUGGESTIONS:
            self._suggestions.popitem(last=False)

    def suggestion(self, completion_id: str) -> Suggestion | None:
        """Return one of the last suggestions."""
        return self._suggestions.get(completion_id)

    def shown(self, completion_id: str) -> None:
        """Note that a suggestion was shown; the rest of one counts for the one that was computed."""
        suggestion = self.suggestion(completion_id)
        if suggestion is not None:
            self.ledger.mark_shown(suggestion.origin)

    def accepted(self, completion_id: str, length: int | None = None) -> None:
        """Note that a suggestion was accepted, whole or its first `length` characters."""
        suggestion = self.suggestion(completion_id)
        if suggestion is not None:
            whole = len(suggestion.text)
            self.ledger.mark_accepted(suggestion.origin, whole if length is None else min(length, whole))

    # Pausing and ending

    @property
    def paused(self) -> bool:
        """Whether suggestions are off for now, by the user or for want of mains."""
        if self._paused_until is not None:
            return True
        return self.settings.pause_on_battery and on_battery()

    def pause(self, minutes: float) -> None:
        """Suggest nothing for some minutes."""
        self.resume()
        self._paused_until = time.time() + minutes * 60
        self._resume = asyncio.get_running_loop().call_later(minutes * 60, self.resume)
        for task in self._running.values():
            task.cancel()
        self._announce()

    def resume(self) -> None:
        """Suggest again."""
        if self._resume is not None:
            self._resume.cancel()
        self._paused_until = self._resume = None
        self._announce()

    def stop(self) -> None:
        """Stop computing, for good, and write down what was charged; may be called from any thread."""
        for stop in list(self._stops):
            stop.set()
        self._model_thread.shutdown(wait=False, cancel_futures=True)
        self.ledger.close()

    def _announce(self) -> None:
        busy = bool(self._stops) or (self._loading is not None and not self._loading.done())
        if self._problem is not None:
            self._listener.status_changed(self._problem[0], busy, self._problem[1])
        elif self._paused_until is not None:
            until = time.strftime("%H:%M", time.localtime(self._paused_until))
            self._listener.status_changed("inactive", busy, f"paused until {until}")
        elif self.settings.pause_on_battery and on_battery():
            self._listener.status_changed("inactive", busy, "paused on battery")
        elif self._not_here:
            self._listener.status_changed("normal", busy, self._not_here)
        elif self.loaded is None:
            self._listener.status_changed("normal", busy, f"loading {self.settings.model}")
        else:
            parts = (f"{self.settings.model}, profile {self.profile}", self._loss_note())
            self._listener.status_changed("normal", busy, "; ".join(filter(None, parts)))


def current_task_is_cancelled() -> bool:
    """Say whether the running task itself is being cancelled, not one that it waits for.

    A frame that is cancelled must not name its own task: task, exception, traceback and frame would hold each other,
    and with them the model that the frame used, until Python looks for cycles.
    """
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0
