"""What the base protocol and the life cycle ask for, tried on a real server byte by byte."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from greencode_lsp.server.protocol import AnsweringProtocol
from tests.lsp.conftest import PYTHON, Editor
from tests.lsp.test_robustness import frame, inline, item, read_message, start

INITIALIZE = {"processId": None, "capabilities": {}}

UNINITIALIZED, INVALID_REQUEST, PARSE_ERROR = -32002, -32600, -32700


class Wire:
    """A server process whose model is never loaded: it is never told `initialized`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.process = process
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout

    def send(self, *messages: bytes) -> None:
        self.stdin.write(b"".join(messages))
        self.stdin.flush()

    def next_message(self) -> dict[str, Any]:
        return read_message(self.stdout)

    def answer(self, id: int | None) -> dict[str, Any]:
        """Return the answer to a request; notifications before it are skipped."""
        while True:
            message = self.next_message()
            if "method" not in message and message.get("id") == id:
                return message

    def ask(self, method: str, params: Any, id: int) -> dict[str, Any]:
        self.send(frame(method, params, id))
        return self.answer(id)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    process = start(tmp_path)
    yield Wire(process)
    process.kill()
    process.communicate()


def headed(header: bytes, method: str, params: Any, id: int) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode()
    return header % len(body) + body


HEADERS = {
    "lower case": b"content-length: %d\r\n\r\n",
    "upper case": b"CONTENT-LENGTH: %d\r\n\r\n",
    "no space": b"Content-Length:%d\r\n\r\n",
    "spaces": b"Content-Length : \t%d \t\r\n\r\n",
    "line feeds": b"Content-Length: %d\n\n",
    "others": b"X-Content-Length: 7\r\nContent-Type: application/vscode-jsonrpc; charset=utf8\r\nContent-Length: %d\r\n"
    b"X-Trace: a:b\r\n\r\n",
    "blank lines": b"\r\n\r\nContent-Length: %d\r\n\r\n",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_a_header_may_be_written_in_any_way_that_the_standard_allows(wire: Wire, header: bytes) -> None:
    wire.send(headed(header, "initialize", INITIALIZE, 1))
    assert "capabilities" in wire.answer(1)["result"]


BROKEN = {
    "no number": b"Content-Length: many\r\n\r\n" + b'{"jsonrpc":"2.0"}',
    "negative": b"Content-Length: -5\r\n\r\n" + b'{"jsonrpc":"2.0"}',
    "too large": b"Content-Length: 99999999999\r\n\r\n" + b'{"jsonrpc":"2.0"}',
    "no header": b'{"jsonrpc":"2.0","id":9,"method":"shutdown"}',
    "noise": os.urandom(2**18).replace(b"\n", b"") + b"\n\xff\xfe\r\n",
    "too short a length": b'Content-Length: 10\r\n\r\n{"jsonrpc":"2.0","id":9,"method":"shutdown"}',
    "no JSON": b"Content-Length: 4\r\n\r\n{{{{",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_the_server_says_what_it_cannot_read_and_hears_what_comes_after(wire: Wire, broken: bytes) -> None:
    wire.send(broken, frame("initialize", INITIALIZE, 1))
    assert wire.answer(None)["error"]["code"] == PARSE_ERROR
    assert "capabilities" in wire.answer(1)["result"]
    wire.send(broken, frame("workspace/executeCommand", {"command": "greencode.resume"}, 2))
    assert wire.answer(2)["result"] is None


def test_a_list_of_messages_is_refused(wire: Wire) -> None:
    body = json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}]).encode()
    wire.send(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert wire.answer(None)["error"]["code"] == INVALID_REQUEST


def test_requests_before_initialize_are_refused(wire: Wire) -> None:
    for id, method in enumerate(
        ["shutdown", "textDocument/inlineCompletion", "workspace/executeCommand", "unknown"], 1
    ):
        assert wire.ask(method, None, id)["error"]["code"] == UNINITIALIZED
    wire.send(frame("textDocument/didOpen", {"textDocument": item("file:///a.py", "x")}))
    assert "capabilities" in wire.ask("initialize", INITIALIZE, 9)["result"]
    assert wire.ask("initialize", INITIALIZE, 10)["error"]["code"] == INVALID_REQUEST


def test_after_shutdown_requests_are_refused_and_only_exit_is_heard(wire: Wire) -> None:
    wire.ask("initialize", INITIALIZE, 1)
    assert wire.ask("shutdown", None, 2)["result"] is None
    wire.send(frame("textDocument/didOpen", {"textDocument": item("file:///a.py", "x")}))
    for id, method in enumerate(
        ["shutdown", "textDocument/inlineCompletion", "workspace/executeCommand", "unknown"], 3
    ):
        assert wire.ask(method, {}, id)["error"]["code"] == INVALID_REQUEST
    wire.send(frame("exit", None))
    assert wire.process.wait() == 0


def test_exit_without_shutdown_ends_with_status_1(wire: Wire) -> None:
    wire.ask("initialize", INITIALIZE, 1)
    wire.send(frame("exit", {}))
    assert wire.process.wait() == 1


SPARSE = {
    "nothing": None,
    "no capabilities": {"processId": None},
    "nulls": {"processId": None, "capabilities": None, "workspaceFolders": None, "clientInfo": None, "trace": None},
    "unknown values": {
        "processId": "me",
        "capabilities": {"general": {"positionEncodings": ["utf-16"]}, "textDocument": {"completion": 5}},
        "clientInfo": {"version": 3},
        "trace": "loud",
    },
}


@pytest.mark.parametrize("params", SPARSE.values(), ids=SPARSE.keys())
def test_a_client_that_says_little_or_nonsense_of_itself_is_served(wire: Wire, params: Any) -> None:
    result = wire.ask("initialize", params, 1)["result"]
    assert "inlineCompletionProvider" in result["capabilities"]
    assert result["capabilities"]["positionEncoding"] == "utf-16"


def raw(editor: Editor, method: str, params: Any) -> None:
    """Send a notification as no client library would."""
    editor.client.protocol.writer.write(frame(method, params))


CHANGES = {
    "null": {"version": None},
    "missing": {},
    "a text": {"version": "2"},
    "a fraction": {"version": 2.0},
}


@pytest.mark.parametrize("version", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("ranges", [{}, {"range": None, "rangeLength": None}], ids=["whole", "null range"])
async def test_a_change_counts_whatever_its_version(editor: Editor, version: dict[str, Any], ranges: Any) -> None:
    uri = editor.open("x = 1\n")
    changes = [{**ranges, "text": PYTHON}]
    raw(editor, "textDocument/didChange", {"textDocument": {"uri": uri, **version}, "contentChanges": changes})
    (suggestion,) = await editor.suggest(uri, 9, 15)
    assert suggestion.insert_text == "len(self.items) == 0"


async def test_a_document_needs_neither_language_nor_version(editor: Editor) -> None:
    uri = "file:///tmp/without_language.py"
    raw(editor, "textDocument/didOpen", {"textDocument": {"uri": uri, "text": PYTHON, "languageId": None}})
    (suggestion,) = await editor.suggest(uri, 9, 15)
    assert suggestion.insert_text == "len(self.items) == 0"


CONTEXTS = [None, {}, {"triggerKind": None}, {"triggerKind": 0}, {"triggerKind": 7, "selectedCompletionInfo": None}]


@pytest.mark.parametrize("context", CONTEXTS, ids=str)
async def test_a_request_needs_no_context(editor: Editor, context: Any) -> None:
    uri = editor.open(PYTHON)
    params = {**inline(uri, 9, 15), "context": context}
    protocol, answer = editor.client.protocol, Future()
    protocol._request_futures[id := f"raw {context}"] = answer
    protocol.writer.write(frame("textDocument/inlineCompletion", params, id))
    result = (await asyncio.wrap_future(answer)).items
    assert result[0].insertText == "len(self.items) == 0"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_idle_server(wire: Wire, number: signal.Signals) -> None:
    wire.ask("initialize", INITIALIZE, 1)
    wire.process.send_signal(number)
    assert wire.process.wait() == 128 + number
    assert wire.process.stderr is not None
    assert wire.process.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_server_that_computes(
    number: signal.Signals, default_bundle_folder: Path, tmp_path: Path
) -> None:
    process = start(tmp_path)
    wire = Wire(process)
    options = {"maxTokens": 256, "alternatives": 5, "multiline": "always", "debounceMs": 0}
    wire.send(
        frame("initialize", {**INITIALIZE, "initializationOptions": options}, 1),
        frame("initialized", {}),
        frame("textDocument/didOpen", {"textDocument": item("file:///a.py", "import os\n" * 400 + PYTHON)}),
    )
    until_status(wire, busy=False)
    wire.send(frame("textDocument/inlineCompletion", inline("file:///a.py", 409, 15), 2))
    until_status(wire, busy=True)
    process.send_signal(number)
    assert process.wait() == 128 + number
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()


def until_status(wire: Wire, busy: bool) -> None:
    while True:
        message = wire.next_message()
        if message.get("method") == "greencode/status" and message["params"]["busy"] is busy:
            return


def test_a_signal_while_the_server_starts_leaves_no_traceback(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from greencode_lsp.server import __main__ as server; "
        "import greencode_lsp.server.ending as ending; begin = ending.end_on_signals; "
        "server.end_on_signals = lambda leave: (begin(leave), os.kill(os.getpid(), signal.SIGINT)); server.main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, stdin=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (130, b"")


def test_one_connection_on_tcp_is_served_to_its_end(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start(tmp_path, "--tcp", f"127.0.0.1:{port}")
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
            break
        except ConnectionRefusedError:
            assert process.poll() is None
    with connection, connection.makefile("rb") as stream:
        connection.sendall(frame("initialize", INITIALIZE, 1) + frame("shutdown", None, 2) + frame("exit", None))
        assert "capabilities" in read_message(stream)["result"]
        assert read_message(stream)["result"] is None
        assert stream.read() == b""
    assert process.wait() == 0
    process.communicate()


def test_a_client_that_reads_nothing_does_not_hold_up_the_end(wire: Wire) -> None:
    wire.send(frame("initialize", INITIALIZE, 1), frame("shutdown", None, 2))
    wire.send(frame("refused", None, "id" * 10_000) * 100, frame("exit", None))
    assert wire.process.wait() == 0


def test_an_answer_that_is_no_list_of_settings_ends_the_wait_for_it() -> None:
    protocol = LanguageServer("test", "1", protocol_cls=AnsweringProtocol).protocol
    wanted = types.ConfigurationParams([types.ConfigurationItem(section="greencode")])
    waiting = protocol.send_request(types.WORKSPACE_CONFIGURATION, wanted, msg_id="settings")
    with pytest.raises(JsonRpcException):
        protocol.structure_message({"jsonrpc": "2.0", "id": "settings", "result": None})
    assert isinstance(waiting.exception(timeout=0), JsonRpcException)
