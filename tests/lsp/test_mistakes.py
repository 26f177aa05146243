"""What becomes of answers that come too late, and of commands that make no sense.

Each test speaks raw JSON-RPC to a server process.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.lsp.conftest import OPTIONS, PYTHON
from tests.lsp.test_robustness import envelope, frame, inline, item, read_message, start
from tests.waiting import HANG_SECONDS, LOOK_SECONDS, Patience

INITIALIZE = {"processId": None, "capabilities": {}, "initializationOptions": OPTIONS}

LONG = "import os\n" * 400 + PYTHON


class Talk:
    """A server process and the few moves of a client on raw stdio."""

    def __init__(self, data: Path) -> None:
        self.process = start(data)
        self.read: list[dict[str, Any]] = []

    def write(self, content: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def send(self, method: str, params: Any = None, id: int | None = None) -> None:
        self.write(frame(method, params, id))

    def write_answer(self, id: int | str, result: Any) -> None:
        self.write(envelope({"id": id, "result": result}))

    def until(self, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Read messages until one is wanted; the end of the stream fails."""
        assert self.process.stdout is not None
        while True:
            message = read_message(self.process.stdout)
            self.read.append(message)
            if wanted(message):
                return message

    def answer(self, id: int) -> dict[str, Any]:
        return self.until(lambda message: message.get("id") == id and "method" not in message)

    def initialize(self, **options: Any) -> None:
        self.send("initialize", INITIALIZE | {"initializationOptions": OPTIONS | options}, 1)
        self.answer(1)
        self.send("initialized", {})

    def until_status(self, busy: bool) -> None:
        """Read messages until a status tells that the server computes, or that it does not; one of an error fails."""

        def tells(message: dict[str, Any]) -> bool:
            if message.get("method") != "greencode/status":
                return False
            assert message["params"]["kind"] == "normal", message
            return bool(message["params"]["busy"] == busy)

        self.until(tells)

    def end(self) -> tuple[int, str]:
        """Wait until the process has ended; return its status and its log."""
        _, log = self.process.communicate(timeout=HANG_SECONDS)
        return self.process.returncode, log.decode()


@contextmanager
def talking(data: Path) -> Iterator[Talk]:
    """Talk to a server; kill it at the end, and where it neither computes nor ends, so that no read waits for ever."""
    talk = Talk(data)
    over = threading.Event()

    def watch() -> None:
        patience = Patience("the server answers", lambda: [psutil.Process(talk.process.pid)])
        with suppress(AssertionError, psutil.Error):
            while not over.wait(LOOK_SECONDS):
                patience.look_again()
        talk.process.kill()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield talk
    finally:
        over.set()
        watcher.join()
        with suppress(ValueError, OSError):  # the test has closed its ends
            talk.process.communicate()


@pytest.mark.parametrize("method", ["textDocument/inlineCompletion", "textDocument/completion"])
@pytest.mark.parametrize("version", [None, 1], ids=["null", "the same"])
def test_an_answer_for_a_text_that_has_changed_is_empty_though_the_version_has_not(
    method: str, version: int | None, default_bundle_folder: Path, tmp_path: Path
) -> None:
    with talking(tmp_path) as talk:
        talk.initialize(completionMenu=True)
        talk.until_status(busy=False)
        talk.send("textDocument/didOpen", {"textDocument": item("file:///a.py", LONG)})
        talk.send(method, inline("file:///a.py", 409, 15), 2)
        talk.until_status(busy=True)
        document = {"uri": "file:///a.py", "version": version}
        talk.send("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": "other = "}]})
        assert talk.answer(2)["result"]["items"] == []


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("greencode.setProfile", ["warp"]),
        ("greencode.setProfile", None),
        ("greencode.setProfile", [[], {}]),
        ("greencode.pause", ["soon"]),
        ("greencode.pause", [-1]),
        ("greencode.unknown", []),
    ],
)
def test_a_mistake_in_a_command_goes_to_the_client_and_takes_one_line_of_the_log(
    command: str, arguments: Any, tmp_path: Path
) -> None:
    with talking(tmp_path) as talk:
        talk.send("initialize", INITIALIZE, 1)
        talk.answer(1)
        talk.send("workspace/executeCommand", {"command": command, "arguments": arguments}, 2)
        error = talk.answer(2)["error"]
        assert error["code"] == -32602
        assert "\n" not in error["message"]
        talk.send("exit")
        (line,) = talk.end()[1].splitlines()
        assert error["message"] in line
