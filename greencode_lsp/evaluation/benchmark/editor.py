"""An editor without a screen: a language client that opens, changes and asks, with a real server process."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

from greencode_lsp import __version__
from greencode_lsp.completion.lines import line_starts
from greencode_lsp.errors import UserError
from greencode_lsp.evaluation.benchmark.source_files import SourceFile
from greencode_lsp.evaluation.benchmark.typist import Stroke

READY_SECONDS = 600.0
"""The first start may fetch the model."""


class Asked:
    """A request for inline completion. `latency_ms` and `item` are there once it is `answered`."""

    def __init__(self, number: str, answer: asyncio.Future[types.InlineCompletionList]) -> None:
        self.number, self._answer = number, answer
        self._asked_at = time.perf_counter()
        self.latency_ms = 0.0
        answer.add_done_callback(self._arrived)

    @property
    def answered(self) -> bool:
        """Whether the answer is there."""
        return self._answer.done()

    @property
    def item(self) -> types.InlineCompletionItem | None:
        """The first suggestion, None where the answer is empty; raises what the server answered instead."""
        return self.items[0] if self.items else None

    @property
    def items(self) -> list[types.InlineCompletionItem]:
        """All suggestions, the best first; raises what the server answered instead."""
        return list(self._answer.result().items)

    async def wait(self) -> None:
        """Wait for the answer."""
        await asyncio.wait([self._answer])

    def _arrived(self, answer: asyncio.Future[types.InlineCompletionList]) -> None:
        self.latency_ms = (time.perf_counter() - self._asked_at) * 1000
        if not answer.cancelled():
            answer.exception()  # a cancelled request's answer is an error that nobody awaits


class Editor:
    """One open document in a client, and what the server has told."""

    def __init__(self, client: LanguageClient) -> None:
        self.energy: list[Any] = []
        self._client = client
        self._numbers = itertools.count(1)
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._uri, self._text, self._version = "", "", 0
        # pygls marks what it registers, which it cannot do to a method.
        client.feature("greencode/energy")(lambda energy: self.energy.append(energy))
        client.feature("greencode/status")(lambda status: self._status_changed(status))

    async def start(self, options: dict[str, Any]) -> None:
        """Begin the session and wait until the model is loaded; raise `UserError` when it cannot be."""
        await self._client.initialize_async(
            types.InitializeParams(
                process_id=os.getpid(), capabilities=types.ClientCapabilities(), initialization_options=options
            )
        )
        self._client.initialized(types.InitializedParams())
        try:
            await asyncio.wait_for(self._ready, READY_SECONDS)
        except TimeoutError as error:
            raise UserError(f"the server was not ready after {READY_SECONDS:.0f} s") from error

    def _status_changed(self, status: Any) -> None:
        if self._ready.done() or status.busy:
            return
        if status.kind == "error":
            self._ready.set_exception(UserError(status.message))
        else:
            self._ready.set_result(None)

    def open(self, file: SourceFile, text: str) -> None:
        """Open a document with a text of its own."""
        self._uri, self._text, self._version = f"file:///benchmark/{file.name}", text, 1
        item = types.TextDocumentItem(self._uri, file.language, self._version, text)
        self._client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def close(self) -> None:
        """Close the document."""
        identifier = types.TextDocumentIdentifier(self._uri)
        self._client.text_document_did_close(types.DidCloseTextDocumentParams(identifier))

    def change(self, cursor: int, stroke: Stroke) -> int:
        """Change the text at the cursor and tell the server; return where the cursor is then."""
        begin = cursor - stroke.deleted
        where = types.Range(self._position(begin), self._position(cursor))
        self._text = self._text[:begin] + stroke.typed + self._text[cursor:]
        self._version += 1
        self._client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self._version, self._uri),
                [types.TextDocumentContentChangePartial(where, stroke.typed)],
            )
        )
        return begin + len(stroke.typed)

    def ask(
        self, cursor: int, trigger: types.InlineCompletionTriggerKind = types.InlineCompletionTriggerKind.Automatic
    ) -> Asked:
        """Ask for an inline completion without waiting for it: as editors do after a keystroke, or as a person does."""
        params = types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(self._uri),
            position=self._position(cursor),
            context=types.InlineCompletionContext(trigger),
        )
        number = f"keystroke-{next(self._numbers)}"
        request = self._client.protocol.send_request_async(types.TEXT_DOCUMENT_INLINE_COMPLETION, params, msg_id=number)
        return Asked(number, asyncio.ensure_future(request))

    def cancel(self, asked: Asked) -> None:
        """Tell the server that an answer is no longer wanted."""
        self._client.cancel_request(types.CancelParams(asked.number))

    def tell_shown(self, item: types.InlineCompletionItem) -> None:
        """Tell the server that a suggestion is on the screen."""
        assert item.command is not None, "greencode's items have one"
        command = {"title": "", "command": item.command.command, "arguments": item.command.arguments}
        shown = {"item": {"insertText": item.insert_text, "command": command}}
        self._client.protocol.notify("textDocument/didShowCompletion", shown)

    async def tell_accepted(self, item: types.InlineCompletionItem) -> None:
        """Tell the server that a suggestion was taken."""
        assert item.command is not None, "greencode's items have one"
        await self._execute(item.command.command, *(item.command.arguments or ()))

    async def watt_hours_today(self) -> float | None:
        """Return what all completions of this server took, those that were stopped too."""
        stats = await self._execute("greencode.stats")
        watt_hours = stats["today"]["wattHours"]
        return None if watt_hours is None else float(watt_hours)

    async def _execute(self, command: str, *arguments: Any) -> Any:
        params = types.ExecuteCommandParams(command, list(arguments))
        return await self._client.workspace_execute_command_async(params)

    def _position(self, offset: int) -> types.Position:
        starts = line_starts(self._text[:offset])
        return types.Position(len(starts) - 1, utf16_units(self._text[starts[-1] : offset]))

    def offset(self, position: types.Position) -> int:
        """Return the offset of a position in the document; raise `ValueError` for one that is not in it."""
        starts = [*line_starts(self._text), len(self._text)]
        if not 0 <= position.line < len(starts) - 1:
            raise ValueError(f"the document has no line {position.line}")
        line = self._text[starts[position.line] : starts[position.line + 1]]
        units = 0
        for index, character in enumerate([*line.rstrip("\r\n"), ""]):
            if units == position.character:
                return starts[position.line] + index
            units += utf16_units(character)
        raise ValueError(f"line {position.line} has no column {position.character}")


def utf16_units(text: str) -> int:
    """Return the length of a text in the units of LSP's positions."""
    return sum(2 if ord(character) > 0xFFFF else 1 for character in text)


@asynccontextmanager
async def running_editor(data: Path) -> AsyncIterator[Editor]:
    """Start a server with a ledger of its own in the folder `data`, and end it."""
    client = LanguageClient("greencode-bench", __version__)
    await client.start_io(sys.executable, "-m", "greencode_lsp.server", env={**os.environ, "GREENCODE_DATA": str(data)})
    server = client._server
    assert server is not None, "it has just been started"
    try:
        yield Editor(client)
        await client.shutdown_async(None)
        client.exit(None)
        with suppress(TimeoutError):
            await asyncio.wait_for(server.wait(), 5)
    finally:
        if server.returncode is None:
            server.kill()
        await client.stop()  # type: ignore[no-untyped-call]
