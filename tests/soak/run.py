"""One run: three servers, three editors, and all that happens around them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.soak import odd_operations as odd
from tests.soak import text_operations as text
from tests.soak.checks import FLAT, growth, lost_handles
from tests.soak.editor import Editor
from tests.soak.faults import Faults, tracebacks
from tests.soak.habits import HABITS
from tests.soak.server_process import Folders, ServerProcess
from tests.soak.surroundings import Surroundings, link_tree, prepare
from tests.soak.watchdog import Watchdog

SAMPLE_SECONDS = 5.0
IDLE_SECONDS = 10.0
IDLE_SHARE = 0.05
"""Share of one processor that a server without work may take."""

WARM_UP_SHARE = 0.25
"""Part of the time in which caches fill; memory and handles are judged from then on."""

EVENT_SECONDS = 8.0
"""Mean time between two things that happen around the servers."""

OPERATIONS: dict[Callable[[Editor], Awaitable[None]], int] = {
    text.type_on: 30,
    text.accept: 12,
    text.ask: 8,
    text.paste: 8,
    text.delete: 6,
    text.ask_while_typing: 6,
    text.undo: 3,
    text.ask_with_menu_entry: 4,
    text.ask_outside: 2,
    text.ask_and_change: 5,
    text.cancel: 5,
    text.open_another: 4,
    text.close_one: 4,
    odd.open_odd_file: 3,
    odd.work_in_notebook: 3,
    odd.change_settings: 3,
    odd.break_settings: 2,
    odd.set_profile: 3,
    odd.pause: 1,
    odd.look_at_figures: 4,
    odd.reset_figures: 1,
    odd.call_doctor: 1,
    odd.send_malformed: 4,
}
"""What an editor does, and how often."""

ROUND = 40
"""Operations until an editor closes all its documents. In every second round it makes the server load its model again.

So every part of a run holds the same mixture, and memory can be compared between parts.
"""


@dataclass
class Run:
    """Everything of a run, also for its report."""

    folders: Folders
    seed: int
    minutes: float
    faults: Faults = field(default_factory=Faults)
    editors: list[Editor] = field(default_factory=list)
    surroundings: Surroundings | None = None
    handles_before: dict[str, list[str]] = field(default_factory=dict)
    handles_after: dict[str, list[str]] = field(default_factory=dict)
    idle_share: dict[str, float] = field(default_factory=dict)
    started: float = 0.0
    warm_up_ended: float = 0.0

    def now(self) -> float:
        """Return seconds since the servers were ready."""
        return time.monotonic() - self.started if self.started else 0.0

    async def go(self) -> None:
        """Run from beginning to end; kill the servers whatever happens."""
        prepare(self.folders)
        try:
            await self._start_editors()
            self.started = time.monotonic()
            await self._work()
        finally:
            for editor in self.editors:
                editor.server.kill()
            await asyncio.gather(*(editor.server.ended() for editor in self.editors))

    async def _start_editors(self) -> None:
        for habit in HABITS:
            server = await ServerProcess.start(self.folders, habit.name)
            editor = Editor(habit, server, self.faults, self.now)
            self.editors.append(editor)
            await editor.initialize()
            if not self.folders.kept_cache.exists():  # the first server has packed the model and measured its costs
                link_tree(self.folders.cache, self.folders.kept_cache)
        self.surroundings = Surroundings(self.folders, self.editors, self.seed, self.faults, self.now)

    async def _work(self) -> None:
        sampling = asyncio.ensure_future(self._sample())
        try:
            warm_up = 60 * self.minutes * WARM_UP_SHARE
            await self._work_until(warm_up)
            await self._drain()
            self.handles_before = {editor.habit.name: editor.server.handles() for editor in self.editors}
            self.warm_up_ended = self.now()
            await self._work_until(60 * self.minutes)
            await self._drain()
        finally:
            sampling.cancel()
        await self._judge()

    async def _work_until(self, seconds: float) -> None:
        """Let everybody work until that time; end early where a server hangs or is gone."""
        assert self.surroundings is not None
        working = [asyncio.ensure_future(work(editor, self.seed)) for editor in self.editors]
        working.append(asyncio.ensure_future(happen(self.surroundings, self.seed)))
        watchdogs = [(editor, Watchdog(editor.server, editor.connection)) for editor in self.editors]
        try:
            while self.now() < seconds and not self._hanging(watchdogs):
                for task in working:
                    if task.done():
                        task.result()
                await asyncio.sleep(1)
        finally:
            for task in working[:-1]:
                task.cancel()
            await asyncio.gather(*working[:-1], return_exceptions=True)
            working[-1].cancel()
            await asyncio.gather(working[-1], return_exceptions=True)
            link_tree(self.folders.kept_cache, self.folders.cache)

    def _hanging(self, watchdogs: list[tuple[Editor, Watchdog]]) -> bool:
        hanging = False
        for editor, watchdog in watchdogs:
            if editor.server.exit_status is not None:
                editor.fault("crash", f"the server ended with status {editor.server.exit_status}")
            elif editor.connection.broken is not None:
                editor.fault("broken connection", editor.connection.broken)
            elif (complaint := watchdog.complaint()) is not None:
                editor.fault("hang", complaint)
            else:
                continue
            hanging = True
        return hanging

    async def _drain(self) -> None:
        """Wait until every request is answered."""
        watchdogs = [(editor, Watchdog(editor.server, editor.connection)) for editor in self.editors]
        while any(editor.connection.pending for editor in self.editors) and not self._hanging(watchdogs):
            await asyncio.sleep(0.1)

    async def _sample(self) -> None:
        while True:
            for editor in self.editors:
                editor.server.take_sample(self.now())
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _judge(self) -> None:
        """Measure what the servers take when nobody asks anything, and compare the beginning with the end."""
        before = [editor.server.cpu_seconds() for editor in self.editors]
        await asyncio.sleep(IDLE_SECONDS)
        for editor, cpu_seconds in zip(self.editors, before, strict=True):
            name, server = editor.habit.name, editor.server
            for traceback in tracebacks(server.log()):
                editor.fault("traceback", traceback)
            if server.exit_status is not None:
                continue  # already reported
            self.idle_share[name] = (server.cpu_seconds() - cpu_seconds) / IDLE_SECONDS
            if self.idle_share[name] > IDLE_SHARE:
                editor.fault("idle", f"{self.idle_share[name]:.0%} of a processor without anything to do")
            self.handles_after[name] = server.handles()
            lost = lost_handles(self.handles_before[name], self.handles_after[name], str(self.folders.ledger))
            if lost:
                editor.fault("handles", f"{len(lost)} not closed: {sorted(set(lost))}")
            share = self.memory_growth(editor)
            if share is not None and share > FLAT:
                editor.fault("memory", f"the last quarter's median lies {share:.1%} above the first's")

    def memory_growth(self, editor: Editor) -> float | None:
        """Return by what share resident memory has grown after warming up, None of too short a run."""
        samples = [sample for sample in editor.server.samples if sample.seconds >= self.warm_up_ended]
        return growth([sample.resident_bytes for sample in samples])


async def work(editor: Editor, seed: int) -> None:
    """Let an editor do one thing after the other; which ones, depends on the seed and on their number."""
    with journal(editor.server.log_path).open("a", encoding="utf-8") as file:
        while editor.connection.broken is None:
            editor.operation += 1
            editor.random = Random(f"{seed}/{editor.habit.name}/{editor.operation}")
            operation = next_operation(editor)
            editor.operations[operation.__name__] += 1
            file.write(json.dumps([editor.operation, operation.__name__]) + "\n")
            await operation(editor)
            await editor.connection.drain()
            await asyncio.sleep(editor.random.expovariate(1 / 0.15))


def next_operation(editor: Editor) -> Callable[[Editor], Awaitable[None]]:
    """Return what an editor does next, by its number and its random numbers."""
    if editor.operation % ROUND == 0:
        return text.close_all
    if editor.operation % (2 * ROUND) == ROUND // 2:
        return odd.change_threads
    (operation,) = editor.random.choices(list(OPERATIONS), list(OPERATIONS.values()))
    return operation


async def happen(surroundings: Surroundings, seed: int) -> None:
    """Let things happen around the servers."""
    random = Random(f"{seed}/surroundings")
    while True:
        await asyncio.sleep(random.expovariate(1 / EVENT_SECONDS))
        await surroundings.next_event()


def journal(log: Path) -> Path:
    """Return the file that lists an editor's operations, beside its server's log."""
    return log.with_suffix(".operations.jsonl")
