"""The server on stdin and stdout, or on one TCP connection: messages in, messages out, and the end of both."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import BinaryIO

from greencode_lsp.errors import UserError
from greencode_lsp.server.framing import Framing, Unreadable
from greencode_lsp.server.listening import first_bytes
from greencode_lsp.server.protocol import AnsweringProtocol

log = logging.getLogger(__name__)

CHUNK_BYTES = 2**16

LAST_WRITES_SECONDS = 1.0
"""How long the end waits for a client that does not read what it is still sent."""


class ThreadedWriter:
    """Writes from a thread of its own: a client that does not read must not hold up the event loop."""

    def __init__(self, stream: BinaryIO, when_client_gone: Callable[[], None]) -> None:
        self._stream, self._when_client_gone = stream, when_client_gone
        self._pending: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="greencode-stdout", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Write bytes, later and in order."""
        self._pending.put(data)

    def close(self) -> None:
        """Wait until all is written, or `LAST_WRITES_SECONDS` have passed."""
        self._pending.put(None)
        self._thread.join(LAST_WRITES_SECONDS)

    def _write_all(self) -> None:
        try:
            while (data := self._pending.get()) is not None:
                self._stream.write(data)
                self._stream.flush()
        except (OSError, ValueError) as error:
            log.info("the client does not listen any more: %s", error)
            self._when_client_gone()


async def serve_stdio(protocol: AnsweringProtocol, when_client_gone: Callable[[], None]) -> None:
    """Serve on stdin and stdout until the client says exit or closes stdin."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()
    reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="greencode-stdin")
    writer = ThreadedWriter(sys.stdout.buffer, when_client_gone)
    protocol.set_writer(writer)
    await serve(protocol, lambda: loop.run_in_executor(reading, os.read, stdin, CHUNK_BYTES))
    writer.close()


async def serve_tcp(protocol: AnsweringProtocol, addresses: list[str], port: int) -> None:
    """Serve the first connection on TCP that speaks LSP until the client says exit or closes it.

    Raises `UserError` where the port cannot be listened on.
    """
    connected: asyncio.Future[tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]] = (
        asyncio.get_running_loop().create_future()
    )

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            begun = await first_bytes(reader)
            if begun and not connected.done():
                connected.set_result((begun, reader, writer))
                return
            log.warning("a connection is refused: %s", "the server has its client" if begun else "it speaks no LSP")
        writer.close()

    try:
        listener = await asyncio.start_server(take, addresses, port)
    except OSError as error:
        raise UserError(f"--tcp: port {port} cannot be listened on, choose another: {error.strerror}") from error
    begun, reader, writer = await connected
    listener.close()
    protocol.set_writer(writer)
    waiting = [begun]

    async def read() -> bytes:
        return waiting.pop() if waiting else await reader.read(CHUNK_BYTES)

    try:
        await serve(protocol, read)
        await asyncio.wait_for(writer.drain(), LAST_WRITES_SECONDS)
    except (OSError, TimeoutError) as error:
        log.info("the connection is lost: %s", error)


async def serve(protocol: AnsweringProtocol, read: Callable[[], Awaitable[bytes]]) -> None:
    """Hand every message of a stream to `protocol`, until `exit` or the stream's end."""
    framing = Framing()
    while chunk := await read():
        for part in framing.feed(chunk):
            if isinstance(part, Unreadable):
                protocol.report_unreadable(part.problem)
                continue
            protocol.receive(part)
            if protocol.exited:
                return
            # Lets what a request has started see the text before the next message changes it.
            await asyncio.sleep(0)
