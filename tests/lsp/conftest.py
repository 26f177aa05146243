"""A real server process with the real default model, driven over stdio as an editor would."""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient

from tests.waiting import LOOK_SECONDS, Patience

SERVER = [sys.executable, "-m", "greencode_lsp.server"]

PYTHON = '''class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def is_empty(self):
        """Say whether there are no items."""
        return '''

OPTIONS = {"debounceMs": 0, "maxTokens": 16, "alternatives": 1}
"""One suggestion, at once."""

_numbers = itertools.count()


def capabilities(*encodings: types.PositionEncodingKind, configuration: bool = True) -> types.ClientCapabilities:
    return types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=list(encodings) or None),
        text_document=types.TextDocumentClientCapabilities(
            inline_completion=types.InlineCompletionClientCapabilities(dynamic_registration=True)
        ),
        window=types.WindowClientCapabilities(work_done_progress=True),
        workspace=types.WorkspaceClientCapabilities(configuration=configuration),
    )


class Editor:
    """A client with the few moves that the tests need."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.initialized: types.InitializeResult | None = None
        self.notes: dict[str, list[dict[str, Any]]] = {"greencode/energy": [], "greencode/status": []}
        for method, notes in self.notes.items():
            client.feature(method)(lambda params, notes=notes: notes.append(plain(params)))

    @property
    def process_id(self) -> int:
        assert self.client._server is not None
        return self.client._server.pid

    @property
    def energy(self) -> list[dict[str, Any]]:
        return self.notes["greencode/energy"]

    @property
    def status(self) -> list[dict[str, Any]]:
        return self.notes["greencode/status"]

    async def start(self, *encodings: types.PositionEncodingKind, options: Any = None) -> types.InitializeResult:
        result = await self.client.initialize_session(
            types.InitializeParams(
                process_id=os.getpid(),
                capabilities=capabilities(*encodings),
                initialization_options=options or OPTIONS,
            )
        )
        return result

    async def until_ready(self) -> None:
        await until(lambda: self.status and not self.status[-1]["busy"], "the server is ready")

    async def until_told(self) -> None:
        """Wait until the energy of all that was computed has arrived: the ledger answers in order."""
        await run(self, "stats")

    def open(self, text: str, language: str = "python", uri: str | None = None) -> str:
        uri = uri or f"file:///tmp/test_{next(_numbers)}.py"
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, language, 1, text))
        )
        return uri

    async def suggest(
        self,
        uri: str,
        line: int,
        character: int,
        invoked: bool = True,
        selected: types.SelectedCompletionInfo | None = None,
    ) -> list[types.InlineCompletionItem]:
        params = place(uri, line, character, invoked, selected)
        answer = await self.client.text_document_inline_completion_async(params)
        return list(answer.items)

    def change(self, uri: str, version: int, begin: tuple[int, int], end: tuple[int, int], text: str) -> None:
        where = types.Range(types.Position(*begin), types.Position(*end))
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version, uri),
                [types.TextDocumentContentChangePartial(where, text)],
            )
        )


def place(
    uri: str,
    line: int,
    character: int,
    invoked: bool = True,
    selected: types.SelectedCompletionInfo | None = None,
) -> types.InlineCompletionParams:
    kind = types.InlineCompletionTriggerKind.Invoked if invoked else types.InlineCompletionTriggerKind.Automatic
    return types.InlineCompletionParams(
        text_document=types.TextDocumentIdentifier(uri),
        position=types.Position(line, character),
        context=types.InlineCompletionContext(trigger_kind=kind, selected_completion_info=selected),
    )


def plain(params: Any) -> Any:
    """Turn pygls' attribute objects into dictionaries."""
    if hasattr(params, "_asdict"):
        return {key: plain(value) for key, value in params._asdict().items()}
    if isinstance(params, list):
        return [plain(value) for value in params]
    return params


async def until(holds: Callable[[], Any], what: str) -> None:
    """Wait until something holds; fail naming it when that is in vain."""
    patience = Patience(what)
    while not holds():
        await asyncio.sleep(LOOK_SECONDS)
        patience.look_again()


@asynccontextmanager
async def running_editor(data: Path, *arguments: str, behind: Sequence[str] = ()) -> AsyncIterator[Editor]:
    """Start a server of its own with a ledger of its own; kill it at the end if it is still there.

    `behind` is a command that starts another one.
    """
    command, environment = [*behind, *SERVER, *arguments], {**os.environ, "GREENCODE_DATA": str(data)}
    client = await ClientServerConfig(server_command=command, server_env=environment).start()
    try:
        yield Editor(client)
    finally:
        if client._server is not None and client._server.returncode is None:
            client._server.kill()
        await client.stop()


@pytest.fixture(scope="session")
async def editor(default_bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    """The server that most tests share."""
    async with running_editor(tmp_path_factory.mktemp("data")) as editor:
        editor.initialized = await editor.start()
        await editor.until_ready()
        yield editor
        await editor.client.shutdown_session()


async def change_settings(editor: Editor, section: Any) -> None:
    editor.client.set_configuration(section, section="greencode")
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))


async def run(editor: Editor, command: str, *arguments: Any) -> Any:
    answer = await editor.client.workspace_execute_command_async(
        types.ExecuteCommandParams(f"greencode.{command}", list(arguments) or None)
    )
    return plain(answer)
