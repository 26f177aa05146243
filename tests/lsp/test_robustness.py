"""What a broken client, file, setting or model gets: an answer, a status, and a server that goes on."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
from lsprotocol import types

from greencode_lsp.models import find_bundle
from tests.lsp.conftest import OPTIONS, PYTHON, SERVER, Editor, place, running_editor, until
from tests.waiting import HANG_SECONDS


async def test_an_unknown_document_gets_an_empty_list(editor: Editor) -> None:
    assert await editor.suggest("file:///nowhere.py", 0, 0) == []
    assert await editor.suggest(Path(__file__).as_uri(), 3, 0) == []  # on disk, but not open


async def test_a_position_past_the_end_is_the_end(editor: Editor) -> None:
    uri = editor.open(PYTHON)
    (item,) = await editor.suggest(uri, 999, 999)
    assert item.insert_text == "len(self.items) == 0"


@pytest.mark.parametrize(
    "text", ["\x7fELF\0\0\0", "x = 1\n" * 1_700_000, "", "\n\n"], ids=["binary", "10 MB", "empty", "blank"]
)
async def test_what_is_no_source_code_gets_an_empty_list(editor: Editor, text: str) -> None:
    assert await editor.suggest(editor.open(text), 1, 0) == []


async def test_lone_surrogates_get_an_answer(editor: Editor) -> None:
    uri = editor.open("word = '\ud83d'\nother = ")
    assert len(await editor.suggest(uri, 1, 8)) <= 1


async def test_malformed_messages_are_ignored_or_answered_with_an_error(editor: Editor) -> None:
    notify = editor.client.protocol.notify
    notify("textDocument/didShowCompletion", {"item": 5})
    notify("textDocument/didPartiallyAcceptCompletion", {"acceptedLength": "x"})
    notify("greencode/unknown", {"a": 1})
    notify("textDocument/didShowCompletion", None)
    with pytest.raises(Exception, match="is not defined"):
        await editor.client.workspace_execute_command_async(types.ExecuteCommandParams("greencode.unknown"))
    with pytest.raises(Exception, match=r".+"):
        await editor.client.workspace_execute_command_async(types.ExecuteCommandParams("greencode.pause", ["soon"]))
    assert await editor.suggest(editor.open(PYTHON), 9, 15)


async def test_an_unknown_model_is_said_and_can_be_corrected(default_bundle_folder: Path, tmp_path: Path) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start(options={"model": "no-such-model"})
        await until(lambda: editor.status and editor.status[-1]["kind"] == "error", "the error is announced")
        assert "no-such-model" in editor.status[-1]["message"]
        assert "smollm2-135m" in editor.status[-1]["message"]
        assert await editor.suggest(editor.open(PYTHON), 9, 15) == []
        editor.client.set_configuration({"model": "smollm2-135m", "debounceMs": 0}, section="greencode")
        editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings=None))
        await until(lambda: editor.status[-1]["kind"] == "normal" and not editor.status[-1]["busy"], "it has loaded")
        assert await editor.suggest(editor.open(PYTHON), 9, 15)
        await editor.client.shutdown_session()


async def test_a_damaged_model_is_said(tmp_path: Path, default_bundle_folder: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (model / name).write_bytes((default_bundle_folder / name).read_bytes())
    (model / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0 not safetensors")
    async with running_editor(tmp_path) as editor:
        await editor.start(options={"model": str(model)})
        await until(lambda: editor.status and editor.status[-1]["kind"] == "error", "the error is announced")
        assert "safetensors" in editor.status[-1]["message"]
        await editor.client.shutdown_session()


async def test_an_unusable_profile_is_said_and_replaced(default_bundle_folder: Path, tmp_path: Path) -> None:
    described = find_bundle("smollm2-135m").folder
    for name in ("bundle.toml", "exits.safetensors", "adapters.safetensors"):  # and no policy
        (tmp_path / name).symlink_to(described / name)
    async with running_editor(tmp_path) as editor:
        await editor.start(options={"model": str(tmp_path), "profile": "eco", "debounceMs": 0})
        await until(lambda: editor.status and editor.status[-1]["kind"] == "warning", "the warning is announced")
        assert "eco" in editor.status[-1]["message"]
        assert await editor.suggest(editor.open(PYTHON), 9, 15)
        await editor.client.shutdown_session()


async def test_loading_shows_progress(default_bundle_folder: Path, tmp_path: Path) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start()
        await editor.until_ready()
        (reports,) = editor.client.progress_reports.values()
        kinds = [type(report).__name__ for report in reports]
        assert kinds[0] == "WorkDoneProgressBegin"
        assert kinds[-1] == "WorkDoneProgressEnd"
        await editor.client.shutdown_session()


async def test_notebook_cells_are_documents(editor: Editor) -> None:
    cell = "vscode-notebook-cell:/tmp/book.ipynb#cell1"
    editor.client.notebook_document_did_open(
        types.DidOpenNotebookDocumentParams(
            types.NotebookDocument(
                "file:///tmp/book.ipynb",
                "jupyter-notebook",
                1,
                [types.NotebookCell(types.NotebookCellKind.Code, cell)],
            ),
            [types.TextDocumentItem(cell, "python", 1, PYTHON)],
        )
    )
    (item,) = await editor.suggest(cell, 9, 15)
    assert item.insert_text == "len(self.items) == 0"


async def test_nonsense_on_the_wire_is_answered_and_never_quoted_in_the_log(
    default_bundle_folder: Path, tmp_path: Path
) -> None:
    messages = [
        ("initialize", {"processId": None, "capabilities": {}, "initializationOptions": {"debounceMs": 0}}, 1),
        ("initialized", {}, None),
        ("textDocument/didOpen", {"textDocument": item("file:///a.py", "SECRET_WORD = 1\nSECRET_")}, None),
        ("textDocument/inlineCompletion", inline("file:///a.py", 1, 7), 2),
        ("textDocument/inlineCompletion", {"SECRET_WORD": "SECRET_WORD"}, 3),
        ("textDocument/didOpen", {"textDocument": {"SECRET_WORD": "SECRET_WORD"}}, None),
        ("textDocument/inlineCompletion", inline("file:///a.py", 1, 7), 4),
    ]
    server = start(tmp_path, "--log-level", "debug")
    assert server.stdin is not None and server.stdout is not None and server.stderr is not None
    server.stdin.write(b"".join(frame(*message) for message in messages))
    server.stdin.flush()
    answers: dict[Any, dict[str, Any]] = {}
    while not {1, 2, 3, 4} <= set(answers):
        message = read_message(server.stdout)
        answers[message.get("id")] = message
    server.stdin.close()
    log = server.stderr.read()
    server.wait(HANG_SECONDS)
    assert "inlineCompletionProvider" in answers[1]["result"]["capabilities"]
    assert "error" in answers[3]
    assert "items" in answers[4]["result"]
    assert b"SECRET_WORD" not in log
    assert b"Traceback" not in log


REFUSED = {"error": {"code": -32601, "message": "method not found"}}


@pytest.mark.parametrize("answer", [REFUSED, {"result": None}, {"result": []}], ids=["error", "null", "nothing"])
async def test_a_client_that_answers_nothing_useful_gets_suggestions_all_the_same(
    answer: dict[str, Any], default_bundle_folder: Path, tmp_path: Path
) -> None:
    workspace = {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}
    able = {"workspace": workspace, "window": {"workDoneProgress": True}}
    server = start(tmp_path)
    assert server.stdin is not None and server.stdout is not None

    def send(message: bytes) -> None:
        assert server.stdin is not None
        server.stdin.write(message)
        server.stdin.flush()

    send(frame("initialize", {"processId": None, "capabilities": able, "initializationOptions": OPTIONS}, 1))
    send(frame("initialized", {}))
    send(frame("textDocument/didOpen", {"textDocument": item("file:///a.py", PYTHON)}))
    send(frame("textDocument/inlineCompletion", inline("file:///a.py", 9, 15), 2))
    asked = set()
    while (message := read_message(server.stdout)).get("id") != 2:
        if "method" in message and "id" in message:
            asked.add(message["method"])
            send(envelope({"id": message["id"], **answer}))
    server.stdin.close()
    assert message["result"]["items"][0]["insertText"] == "len(self.items) == 0"
    assert asked == {"client/registerCapability", "workspace/configuration", "window/workDoneProgress/create"}


@pytest.mark.parametrize("moment", ["loading", "completing"])
async def test_closing_stdin_ends_the_process(moment: str, default_bundle_folder: Path, tmp_path: Path) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start()
        process = psutil.Process(editor.process_id)
        if moment == "completing":
            await editor.until_ready()
            uri = editor.open("import os\n" * 400 + PYTHON)
            params = place(uri, 409, 15)
            waiting = asyncio.ensure_future(editor.client.text_document_inline_completion_async(params))
            await until(lambda: editor.status[-1]["busy"], "the computation has begun")
        editor.client._server.stdin.close()
        await until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "it has ended")
        if moment == "completing":
            assert waiting.cancel() or waiting.exception()  # there was no answer: it did not compute to the end first


async def test_the_server_ends_with_its_client_process(default_bundle_folder: Path, tmp_path: Path) -> None:
    client = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    async with running_editor(tmp_path, "--clientProcessId", str(client.pid)) as editor:
        await editor.start()
        process = psutil.Process(editor.process_id)
        client.send_signal(signal.SIGKILL)
        client.wait()
        await until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "it has ended")


async def test_shutdown_and_exit_end_the_process_with_status_0(default_bundle_folder: Path, tmp_path: Path) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start()
        await editor.client.shutdown_session()
        assert await editor.client._server.wait() == 0


def start(data: Path, *arguments: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    environment = {**os.environ, "GREENCODE_DATA": str(data)}
    return subprocess.Popen([*SERVER, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=environment)


def frame(method: str, params: Any, id: int | str | None = None) -> bytes:
    return envelope({"method": method, "params": params} | ({"id": id} if id is not None else {}))


def envelope(message: dict[str, Any]) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def read_message(stream: IO[bytes]) -> dict[str, Any]:
    """Read one message; the server must not write anything else to stdout."""
    header = stream.readline()
    assert header.startswith(b"Content-Length: "), header
    while stream.readline().strip():
        pass
    message: dict[str, Any] = json.loads(stream.read(int(header.split(b":")[1])))
    return message


def item(uri: str, text: str) -> dict[str, Any]:
    return {"uri": uri, "languageId": "python", "version": 1, "text": text}


def inline(uri: str, line: int, character: int) -> dict[str, Any]:
    return {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 1},
    }
