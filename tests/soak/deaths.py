"""Clients that die, each with a server of its own that must end with it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.soak import material
from tests.soak.connection import Answer, Connection
from tests.soak.documents import UTF_16, Text
from tests.soak.faults import Fault, Faults, tracebacks
from tests.soak.server_process import Folders, ServerProcess
from tests.soak.watchdog import STILL_SECONDS, Watchdog

WAYS = (
    "closes stdin",
    "closes stdin in the middle of a message",
    "is killed",
    "says exit without shutdown",
    "says shutdown and exit",
    "asks after shutdown",
    "sends one SIGINT",
    "sends SIGTERM",
    "writes its headers in lower case",
)

MOMENTS = ("at once", "while it loads", "while it computes", "when it is idle")

STATUS = {"says shutdown and exit": 0, "says exit without shutdown": 1, "asks after shutdown": 0}
"""What LSP wants the server's exit status to be."""


@dataclass
class Death:
    """One client that dies some way at some moment."""

    way: str
    moment: str
    number: int

    @property
    def name(self) -> str:
        """How faults and logs call it."""
        return f"dying-{self.number}"

    async def happen(self, folders: Folders, random: Random, faults: Faults, now: Callable[[], float]) -> None:
        """Start a server, die, and see the server end."""
        server = await ServerProcess.start(folders, self.name)
        client = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(36000)")
        connection = Connection(server, lambda method, params: {"result": None})

        def fault(kind: str, detail: str) -> None:
            what = f"a client that {self.way} {self.moment}: {detail}"
            faults.add(Fault(kind, "dying", self.number, what, round(now(), 1), tuple(connection.wire)))

        try:
            if not await self._until_moment(connection, client.pid, random):
                fault("no answer", f"the server went silent before, status {server.exit_status}")
                return
            for complaint in await self._die(server, connection, client):
                fault("protocol", complaint)
            status = await until_ended(server)
            if status is None:
                fault("client death", f"its server is still there after {STILL_SECONDS:g} idle seconds")
            elif self.moment != "at once" and self.way in STATUS and status != STATUS[self.way]:
                fault("exit status", f"its server ended with {status}, not with {STATUS[self.way]}")
            for traceback in tracebacks(server.log()):
                fault("traceback", traceback)
        finally:
            server.kill()
            if client.returncode is None:
                client.kill()
            await asyncio.gather(server.ended(), client.wait())

    async def _until_moment(self, connection: Connection, client: int, random: Random) -> bool:
        """Do what comes before the death; say whether the server has answered so far."""
        if self.moment == "at once":
            return True
        parameters = {"processId": client, "capabilities": {}, "initializationOptions": {"debounceMs": 0}}
        if not await answered(connection, connection.request("initialize", parameters, lambda answer: None)):
            return False
        connection.notify("initialized", {})
        if self.moment == "while it loads":
            await asyncio.sleep(random.random())
            return True
        ready = connection.request("workspace/executeCommand", {"command": "greencode.stats"}, lambda answer: None)
        if not await answered(connection, ready):
            return False
        if self.moment == "while it computes":
            ask(connection, random)
            await asyncio.sleep(random.random() / 2)
        return True

    async def _die(
        self, server: ServerProcess, connection: Connection, client: asyncio.subprocess.Process
    ) -> list[str]:
        """Die; return what the server did wrong before it could end."""
        complaints: list[str] = []
        if self.way == "is killed":
            client.kill()
            if self.moment == "at once":  # nobody has told the server of that process
                server.stdin.close()
        elif self.way == "closes stdin":
            server.stdin.close()
        elif self.way == "closes stdin in the middle of a message":
            connection.send_bytes(b'Content-Length: 1000\r\n\r\n{"jsonrpc": "2.0", "method"')
            server.stdin.close()
        elif self.way == "sends one SIGINT":
            server.signal(signal.SIGINT)
        elif self.way == "sends SIGTERM":
            server.signal(signal.SIGTERM)
        elif self.way in ("says shutdown and exit", "asks after shutdown") and self.moment != "at once":
            complaints = await self._shut_down(connection)
        elif self.way == "writes its headers in lower case" and self.moment != "at once":
            complaints = await lower_case(connection)
            server.stdin.close()
        else:  # also where it is too early to say more than exit
            connection.notify("exit", None)
        return complaints

    async def _shut_down(self, connection: Connection) -> list[str]:
        got: list[Answer] = []
        complaints = []
        if not await answered(connection, connection.request("shutdown", None, got.append)):
            complaints.append("shutdown is not answered")
        if self.way == "asks after shutdown":
            parameters = {"textDocument": {"uri": "file:///a.py"}, "position": {"line": 0, "character": 0}}
            number = connection.request("textDocument/completion", parameters, got.append)
            if not await answered(connection, number):
                complaints.append("a request after shutdown is not answered")
            elif got[-1].get("error", {}).get("code") != -32600:
                complaints.append(f"a request after shutdown got {got[-1]}, not -32600")
        connection.notify("exit", None)
        return complaints


def ask(connection: Connection, random: Random) -> None:
    """Open a file and ask explicitly at its end."""
    sample = material.sample(random, "\n")
    document = {"uri": "file:///tmp/soak/dying.txt", "languageId": sample.language, "version": 1}
    connection.notify("textDocument/didOpen", {"textDocument": {**document, "text": sample.content}})
    end = Text.of(sample.content, UTF_16).position(len(sample.content))
    place = {"textDocument": {"uri": document["uri"]}, "position": end, "context": {"triggerKind": 1}}
    connection.request("textDocument/inlineCompletion", place, lambda answer: None)


async def lower_case(connection: Connection) -> list[str]:
    """Send a request with a header in lower case, as LSP allows; say whether it is left without an answer."""
    number = connection.request("workspace/executeCommand", {"command": "greencode.tokens"}, lambda answer: None)
    await answered(connection, number)
    body = b'{"jsonrpc": "2.0", "id": 77, "method": "shutdown"}'
    before = connection.received["answers"]
    connection.send_bytes(b"content-length: %d\r\n\r\n%s" % (len(body), body))
    watchdog = Watchdog(connection.server, connection)
    while connection.received["answers"] == before and connection.broken is None:
        if watchdog.still_seconds() >= STILL_SECONDS:
            return ["a header `content-length:` silences the server"]
        await asyncio.sleep(0.1)
    return []


async def answered(connection: Connection, number: int) -> bool:
    """Wait until a request is answered; False where the server hangs or is gone."""
    watchdog = Watchdog(connection.server, connection)
    while number in connection.pending:
        if connection.broken is not None or watchdog.still_seconds() >= STILL_SECONDS:
            return False
        await asyncio.sleep(0.05)
    return True


async def until_ended(server: ServerProcess) -> int | None:
    """Wait until a server has ended and return its status, None where it sits there idle instead."""
    watchdog = Watchdog(server)
    while server.exit_status is None:
        if watchdog.still_seconds() >= STILL_SECONDS:
            return None
        await asyncio.sleep(0.1)
    return server.exit_status
