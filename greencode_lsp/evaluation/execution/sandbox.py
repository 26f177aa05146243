"""Whether a program passes: a process of its own, with limits on time and memory, and without a network."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from greencode_lsp.evaluation.execution import child
from greencode_lsp.evaluation.execution.child import PASSED

CHILD = Path(child.__file__)

NAMESPACE = ("unshare", "--net", "--map-root-user")
"""Starts a command in a network namespace of its own, which has no way out. Needs user namespaces."""


@dataclass(frozen=True)
class Sandbox:
    """Runs programs. `seconds` are of CPU time and, doubled, of the clock."""

    seconds: int = 3
    memory_bytes: int = 1 << 30

    @cached_property
    def namespace(self) -> tuple[str, ...]:
        """What to put before a command so that it has no network; empty where this system does not allow that."""
        if shutil.which(NAMESPACE[0]) is None:
            return ()
        probe = subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False)
        return NAMESPACE if probe.returncode == 0 else ()

    @property
    def detail(self) -> str:
        """Say for people how the network is kept away."""
        if self.namespace:
            return "no network: a namespace of its own"
        return "network blocked inside Python only: this system does not allow unshare --net"

    def passes(self, program: str) -> bool:
        """Say whether a program comes to its end, without an error, within the limits."""
        with tempfile.TemporaryDirectory(prefix="greencode-") as folder:
            file = Path(folder) / "program.py"
            file.write_text(program, encoding="utf-8", errors="replace")
            limits = (str(file), str(self.seconds), str(self.memory_bytes), str(int(not self.namespace)))
            process = subprocess.Popen(
                [*self.namespace, sys.executable, "-I", str(CHILD), *limits],
                cwd=folder,
                env={"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                return process.wait(2 * self.seconds) == PASSED
            except subprocess.TimeoutExpired:
                return False
            finally:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
