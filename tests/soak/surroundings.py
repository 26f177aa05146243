"""What happens around the servers: the ledger is locked and deleted, the cache removed, other clients die."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

from greencode_lsp.models import find_bundle, pull
from greencode_lsp.paths import cache_folder
from tests.soak.deaths import MOMENTS, WAYS, Death
from tests.soak.editor import Editor
from tests.soak.faults import Faults
from tests.soak.server_process import Folders

SUFFIXES = ("", "-wal", "-shm")


def prepare(folders: Folders) -> None:
    """Make the folders of a run: no ledger yet, and a cache that holds the model, linked from the user's own."""
    pull(find_bundle("smollm2-135m"))
    for folder in (folders.data, folders.cache, folders.kept_cache):
        shutil.rmtree(folder, ignore_errors=True)
    folders.data.mkdir(parents=True)
    link_tree(cache_folder(), folders.cache)


def link_tree(source: Path, target: Path) -> None:
    """Link every file of a folder into another one, which may have some of them; copy across file systems."""
    for path in sorted(source.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            continue
        try:
            os.link(path, place)
        except OSError:
            shutil.copy2(path, place)


class Surroundings:
    """Does one of these things after the other. `random` is that of the event under way."""

    def __init__(
        self, folders: Folders, editors: list[Editor], seed: int, faults: Faults, now: Callable[[], float]
    ) -> None:
        self._folders, self._editors, self._seed, self._faults, self._now = folders, editors, seed, faults, now
        self.events: Counter[str] = Counter()
        self.answered_while_locked = 0
        self._number = 0

    async def next_event(self) -> None:
        """Let the next thing happen; which one depends on the seed and on how many there were."""
        self._number += 1
        random = Random(f"{self._seed}/surroundings/{self._number}")
        events = (
            self.lock_ledger,
            self.let_client_die,
            self.delete_ledger,
            self.let_client_die,
            self.lock_ledger,
            self.remove_cache,
        )
        event = events[self._number % len(events)]
        self.events[event.__name__] += 1
        await event(random)

    async def lock_ledger(self, random: Random) -> None:
        """Hold the ledger's write lock for some seconds, as another program or a backup may."""
        if not self._folders.ledger.exists():
            self.events["no ledger to lock"] += 1
            return
        before = self._answers()
        try:
            with closing(sqlite3.connect(self._folders.ledger, isolation_level=None, timeout=60)) as connection:
                connection.execute("BEGIN EXCLUSIVE")
                await asyncio.sleep(random.uniform(2, 6))
                connection.execute("ROLLBACK")
        except sqlite3.Error:  # deleted in part, and not yet made anew by a server
            self.events["no ledger to lock"] += 1
        self.answered_while_locked += self._answers() - before

    def _answers(self) -> int:
        return sum(editor.connection.received["answers"] for editor in self._editors)

    async def delete_ledger(self, random: Random) -> None:
        """Delete the ledger's files under the servers."""
        for suffix in SUFFIXES if random.random() < 0.7 else SUFFIXES[:1]:
            self._folders.ledger.with_name(self._folders.ledger.name + suffix).unlink(missing_ok=True)

    async def remove_cache(self, random: Random) -> None:
        """Remove the cache, and bring the model back after some seconds."""
        shutil.rmtree(self._folders.cache, ignore_errors=True)
        await asyncio.sleep(random.uniform(2, 10))
        link_tree(self._folders.kept_cache, self._folders.cache)

    async def let_client_die(self, random: Random) -> None:
        """Let a client of its own die; all ways and moments come in turn."""
        number = self.events["let_client_die"] - 1 + self._seed
        death = Death(WAYS[number % len(WAYS)], MOMENTS[(number // len(WAYS) + number) % len(MOMENTS)], number)
        self.events[f"a client {death.way}"] += 1
        await death.happen(self._folders, random, self._faults, self._now)
