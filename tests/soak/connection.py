"""Raw JSON-RPC with one server: every request is kept until it is answered."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.soak.server_process import ServerProcess

KEPT_MESSAGES = 40
KEPT_CHARACTERS = 400

Answer = dict[str, Any]
"""A response: it has `result` or `error`."""

OnAnswer = Callable[[Answer], object]


@dataclass
class Pending:
    """A request without an answer yet. `sent` is the time, `cpu_seconds` what the server had used by then."""

    method: str
    sent: float
    cpu_seconds: float
    on_answer: OnAnswer
    cancelled: bool = False


class Connection:
    """What one client and its server say to each other."""

    def __init__(self, server: ServerProcess, answer_server: Callable[[str, Any], Answer]) -> None:
        self.server = server
        self.pending: dict[int, Pending] = {}
        self.latencies: defaultdict[str, list[float]] = defaultdict(list)
        self.received: Counter[str] = Counter()
        self.notifications: dict[str, Any] = {}
        """The last parameters of each notification."""
        self.wire: deque[str] = deque(maxlen=KEPT_MESSAGES)
        self.broken: str | None = None
        """Why nothing can be read any more."""
        self._answer_server = answer_server
        self._numbers = itertools.count(1)
        self._reading = asyncio.ensure_future(self._read())

    def request(self, method: str, params: Any, on_answer: OnAnswer, label: str | None = None) -> int:
        """Send a request; return its id. Latencies are kept under `label`, the method by default."""
        number = next(self._numbers)
        cpu_seconds = self.server.cpu_seconds()
        self.pending[number] = Pending(label or method, time.monotonic(), cpu_seconds, on_answer)
        self.send({"id": number, "method": method, "params": params})
        return number

    async def ask(self, method: str, params: Any, label: str | None = None) -> Answer:
        """Send a request and wait for its answer."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def answer_came(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        self.request(method, params, answer_came, label)
        return await answered

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self.send({"method": method, "params": params})

    def cancel(self, number: int) -> None:
        """Cancel a request, which must be answered all the same."""
        if (pending := self.pending.get(number)) is not None:
            pending.cancelled = True
            self.notify("$/cancelRequest", {"id": number})

    def send(self, message: dict[str, Any]) -> None:
        """Send a message as it is."""
        body = json.dumps({"jsonrpc": "2.0", **message})
        self.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body.encode()))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.wire.append("-> " + data.split(b"\r\n\r\n", 1)[-1][:KEPT_CHARACTERS].decode(errors="replace"))
        if not self.server.stdin.is_closing():
            self.server.stdin.write(data)

    async def drain(self) -> None:
        """Wait until the server has read what was sent, but for what fits into its pipe."""
        try:
            await self.server.stdin.drain()
        except ConnectionError:
            self.broken = self.broken or "the server does not read any more"

    async def _read(self) -> None:
        try:
            while True:
                self._receive(await read_message(self.server.stdout))
        except (asyncio.IncompleteReadError, ValueError, ConnectionError) as error:
            self.broken = self.broken or f"{type(error).__name__}: {error}"

    def _receive(self, message: dict[str, Any]) -> None:
        self.wire.append("<- " + json.dumps(message)[:KEPT_CHARACTERS])
        method, number = message.get("method"), message.get("id")
        if method is None:
            self.received["answers"] += 1
            pending = self.pending.pop(number, None) if isinstance(number, int) else None
            if pending is not None:
                self.latencies[pending.method].append(time.monotonic() - pending.sent)
                pending.on_answer(message)
            return
        self.received[method] += 1
        if number is None:
            self.notifications[method] = message.get("params")
        else:
            self.send({"id": number, **self._answer_server(method, message.get("params"))})


async def read_message(stream: asyncio.StreamReader) -> dict[str, Any]:
    """Read one message; raise `ValueError` where the server writes anything else to stdout."""
    length = None
    while line := (await stream.readuntil(b"\n")).strip():
        name, _, value = line.partition(b":")
        if name.lower() not in (b"content-length", b"content-type"):
            raise ValueError(f"not a header: {line[:80]!r}")
        if name.lower() == b"content-length":
            length = int(value)
    if length is None:
        raise ValueError("a message without a length")
    message = json.loads(await stream.readexactly(length))
    if not isinstance(message, dict):
        raise ValueError(f"not a message: {str(message)[:80]}")
    return message
