"""Server processes: started with folders of their own, looked at from outside."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

COMMAND = (sys.executable, "-m", "greencode_lsp.server")


@dataclass(frozen=True)
class Folders:
    """Where everything of a run lies."""

    out: Path

    @property
    def data(self) -> Path:
        """The servers' GREENCODE_DATA: they share one ledger, as the editors of one person do."""
        return self.out / "data"

    @property
    def cache(self) -> Path:
        """The servers' GREENCODE_CACHE, which may be removed at any time."""
        return self.out / "cache"

    @property
    def kept_cache(self) -> Path:
        """What the cache is restored from."""
        return self.out / "cache-kept"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.data / "ledger.sqlite"

    def environment(self) -> dict[str, str]:
        """Return the servers' environment: without a cache they must not fetch the model again."""
        own = {"GREENCODE_DATA": str(self.data), "GREENCODE_CACHE": str(self.cache), "PIP_NO_INDEX": "1"}
        return {**os.environ, **own}


@dataclass(frozen=True)
class Sample:
    """What a process holds and has used at one moment."""

    seconds: float
    resident_bytes: int
    private_bytes: int
    handles: int
    threads: int
    cpu_seconds: float


class ServerProcess:
    """One server on stdio, its log in a file."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process, self.log_path = process, log
        self._looked_at = psutil.Process(process.pid)
        self.samples: list[Sample] = []
        assert process.stdin is not None and process.stdout is not None
        self.stdin, self.stdout = process.stdin, process.stdout

    @classmethod
    async def start(cls, folders: Folders, name: str, *arguments: str) -> ServerProcess:
        """Start a server; its log is `<out>/<name>.log`."""
        log = folders.out / f"{name}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *COMMAND,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=folders.environment(),
            )
        return cls(process, log)

    @property
    def process_id(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The status it has ended with, None while it runs."""
        return self._process.returncode

    def log(self) -> str:
        """Return what it has written to stderr so far."""
        return self.log_path.read_text("utf-8", errors="replace")

    def cpu_seconds(self) -> float:
        """Return the processor time it has used, its own and the system's for it; 0 once it is gone."""
        try:
            times = self._looked_at.cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(times.user + times.system)

    def handles(self) -> list[str]:
        """Return what each open file handle points to, where the system tells."""
        folder = Path(f"/proc/{self.process_id}/fd")
        if not folder.is_dir():
            return [f"handle {number}" for number in range(self._looked_at.num_fds())]
        found = []
        for entry in folder.iterdir():
            try:
                found.append(os.readlink(entry))
            except FileNotFoundError:
                continue
        return sorted(found)

    def take_sample(self, seconds: float) -> Sample | None:
        """Look at the process and keep what it holds; None once it is gone."""
        try:
            memory = self._looked_at.memory_full_info()
            sample = Sample(
                seconds=seconds,
                resident_bytes=memory.rss,
                private_bytes=memory.uss,
                handles=self._looked_at.num_fds(),
                threads=self._looked_at.num_threads(),
                cpu_seconds=self.cpu_seconds(),
            )
        except psutil.Error:
            return None
        self.samples.append(sample)
        return sample

    async def ended(self) -> int:
        """Wait until it has ended; return its status."""
        return await self._process.wait()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it, if it still runs."""
        if self.exit_status is None:
            self._process.kill()

    def payload(self) -> list[dict[str, Any]]:
        """Return the samples for JSON."""
        return [vars(sample) for sample in self.samples]
