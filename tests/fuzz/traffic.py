"""LSP traffic that makes no sense, sent to a real server; then a question that does, which must be answered as ever."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import psutil

from tests.fuzz.mutations import DEEP, mutate_bytes, mutate_value
from tests.fuzz.targets import PREFIX, TOKENS
from tests.fuzz.verdicts import SANITIZER, TRACEBACK, Verdict, last_line
from tests.waiting import Patience

MODEL = "smollm2-135m"
"""A random model says nothing that an editor would be shown."""

MESSAGES = 60
"""Mutated messages of a session."""

LOOK_SECONDS = 0.02

URI = "file:///mutated.py"

PLACE = {"line": 3, "character": 8}

REQUESTS = (
    ("textDocument/inlineCompletion", {"textDocument": {"uri": URI}, "position": PLACE, "context": {"triggerKind": 1}}),
    ("textDocument/completion", {"textDocument": {"uri": URI}, "position": PLACE}),
    ("workspace/executeCommand", {"command": "greencode.setProfile", "arguments": ["exact"]}),
    ("workspace/executeCommand", {"command": "greencode.stats", "arguments": []}),
    ("workspace/executeCommand", {"command": "greencode.pause", "arguments": [0.001]}),
    ("workspace/executeCommand", {"command": "greencode.didAccept", "arguments": ["1"]}),
)

ITEM = {"insertText": "x", "command": {"title": "", "command": "greencode.didAccept", "arguments": ["1"]}}

RANGE = {"start": {"line": 0, "character": 2}, "end": {"line": 1, "character": 5}}

NOTIFICATIONS = (
    ("textDocument/didOpen", {"textDocument": {"uri": URI, "languageId": "python", "version": 1, "text": PREFIX}}),
    (
        "textDocument/didChange",
        {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"range": RANGE, "text": "a\r\nß"}]},
    ),
    ("textDocument/didChange", {"textDocument": {"uri": URI, "version": 3}, "contentChanges": [{"text": PREFIX}]}),
    ("textDocument/didClose", {"textDocument": {"uri": URI}}),
    ("textDocument/didShowCompletion", {"item": ITEM}),
    ("textDocument/didPartiallyAcceptCompletion", {"item": ITEM, "acceptedLength": 1}),
    ("$/cancelRequest", {"id": 1}),
    ("$/setTrace", {"value": "off"}),
    ("workspace/didChangeWatchedFiles", {"changes": [{"uri": URI, "type": 1}]}),
)

SETTINGS = {
    "profile": "exact",
    "maxTokens": TOKENS,
    "debounceMs": 0,
    "multiline": "auto",
    "alternatives": 1,
    "exclude": ["*.key"],
    "languages": [],
    "gridFactor": "eu",
    "maxQualityLoss": 1,
    "certainty": 0,
    "pauseOnBattery": "off",
    "ledgerDays": 365,
}
"""What a session begins and ends with, beside the model."""


def framed(body: bytes) -> bytes:
    """Return a body as LSP sends it."""
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def envelope(message: dict[str, Any]) -> bytes:
    """Return a message as LSP sends it; it may hold lone surrogates."""
    return framed(json.dumps({"jsonrpc": "2.0", **message}).encode("utf-8", "surrogatepass"))


def mutated_messages(random: Random) -> Iterator[bytes]:
    """Yield what a session sends. Nothing in it says `exit` or `shutdown`."""
    for number in range(MESSAGES):
        method, params = random.choice(REQUESTS + NOTIFICATIONS)
        message: dict[str, Any] = {"method": method, "params": params}
        if (method, params) in REQUESTS:
            message["id"] = 1000 + number
        way = random.random()
        if way < 0.2:
            yield envelope(message)
        elif way < 0.6:
            yield envelope(message | {"params": mutate_value(params, random)})
        elif way < 0.65:
            changed = mutate_value({"settings": {"greencode": SETTINGS}}, random)
            yield envelope({"method": "workspace/didChangeConfiguration", "params": changed})
        elif way < 0.7:
            yield envelope({key: value for key, value in message.items() if random.random() < 0.7})
        elif way < 0.8:
            yield framed(mutate_bytes(json.dumps({"jsonrpc": "2.0", **message}).encode(), random))
        elif way < 0.84:
            yield framed(random.choice((b"[" * DEEP, b'{"a":' * DEEP, b"1" * 5000, b"\xff" * 9, b"null", b"")))
        elif way < 0.88:
            yield envelope({"id": random.choice((None, 1, "x", -1, [], 1.5)), "result": mutate_value(params, random)})
        else:
            yield broken_header(envelope(message), random)


HEADERS = (b"", b"\r\n\r\n", b"Content-Length: -5\r\n\r\n", b"Content-Length: x\r\n\r\n", b"Content-Length:\r\n\r\n")


def broken_header(message: bytes, random: Random) -> bytes:
    """Return a message with another header. What it makes the server skip is less than what heals it."""
    header, _, body = message.partition(b"\r\n\r\n")
    wrong = max(len(body) + random.choice((-40, -3, 3, 40)), 0)
    lengths = (b"Content-Length: %d\r\n\r\n" % wrong, b"Content-Length: 99999999999\r\n\r\n")
    begin = random.choice((*HEADERS, *lengths, b"X: y\r\n" + header + b"\r\n\r\n", header.upper() + b"\n\n"))
    heals = b"\r\n" + envelope({"method": "$/fuzz", "params": {"padding": "x" * 200}})
    return begin + body + heals


class Session:
    """A server process, what it has said, and what it is asked."""

    def __init__(self, folder: Path, cache: Path, environment: dict[str, str]) -> None:
        own = {"GREENCODE_DATA": str(folder / "data"), "GREENCODE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
        self._log = (folder / "stderr").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "greencode_lsp.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=os.environ | own | environment,
        )
        self._read: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read_all, daemon=True).start()

    def _read_all(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while (header := stream.readline()).startswith(b"Content-Length: "):
            while stream.readline().strip():
                pass
            self._read.put(json.loads(stream.read(int(header.split(b":")[1]))))
        self._read.put(None)

    def send(self, data: bytes) -> None:
        """Send bytes; a server that is gone is seen when it is asked."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except OSError:
            pass

    def until(self, holds: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Return the first message that is wanted; raise `AssertionError` where it cannot come any more."""
        patience = Patience(what, lambda: [psutil.Process(self.process.pid)] if self.process.poll() is None else [])
        while True:
            try:
                message = self._read.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                patience.look_again()
                continue
            if message is None:
                raise AssertionError(f"the server ended before {what}")
            if "method" in message and "id" in message:
                self.send(envelope({"id": message["id"], "result": None}))
            if holds(message):
                return message

    def ask(self, id: int, method: str, params: Any) -> dict[str, Any]:
        """Send a request; return its answer."""
        self.send(envelope({"id": id, "method": method, "params": params}))
        return self.until(lambda message: message.get("id") == id and "method" not in message, f"it answers {method}")

    def end(self) -> int:
        """Wait until the server has ended, kill it where it does not; return its status."""
        self.process.kill() if self.process.poll() is None else None
        status = self.process.wait()
        self._log.close()
        return status


def talk(session: Session, messages: Iterator[bytes]) -> list[str]:
    """Open a session, send messages, and return the suggestions for a document of which none of them told."""
    options = {**SETTINGS, "model": MODEL, "device": "cpu"}
    session.ask(1, "initialize", {"processId": None, "capabilities": {}, "initializationOptions": options})
    session.send(envelope({"method": "initialized", "params": {}}))
    for message in messages:
        session.send(message)
    session.send(b"\r\n")
    pushed = {"settings": {"greencode": options}}
    session.send(envelope({"method": "workspace/didChangeConfiguration", "params": pushed}))
    session.ask(2, "workspace/executeCommand", {"command": "greencode.setProfile", "arguments": ["exact"]})
    session.ask(3, "workspace/executeCommand", {"command": "greencode.resume", "arguments": []})
    document = {"uri": "file:///asked.py", "languageId": "python", "version": 1, "text": PREFIX}
    session.send(envelope({"method": "textDocument/didOpen", "params": {"textDocument": document}}))
    asked = {"textDocument": {"uri": document["uri"]}, "position": PLACE, "context": {"triggerKind": 1}}
    answer = session.ask(4, "textDocument/inlineCompletion", asked)
    session.ask(5, "shutdown", None)
    session.send(envelope({"method": "exit", "params": None}))
    if "result" not in answer:
        raise AssertionError(f"the last question is answered by {answer.get('error')}")
    session.process.wait()
    return [item["insertText"] for item in answer["result"]["items"]]


def attempt(folder: Path, cache: Path, environment: dict[str, str], random: Random | None) -> tuple[Verdict, list[str]]:
    """Run a session, without a `random` one of only sensible messages; return its verdict and its suggestions."""
    session, suggested, problem = Session(folder, cache, environment), list[str](), ""
    sent = list(mutated_messages(random)) if random is not None else []
    (folder / "sent").write_bytes(b"".join(sent))
    try:
        suggested = talk(session, iter(sent))
    except AssertionError as error:
        problem = str(error)
    status = session.end()
    log = (folder / "stderr").read_text("utf-8", errors="replace")
    if found := SANITIZER.search(log):
        return Verdict("sanitizer", found[0].strip()), suggested
    if TRACEBACK.search(log):
        return Verdict("traceback", last_line(log)), suggested
    if problem:
        return Verdict("hang" if "in vain" in problem else "no answer", f"{problem} (status {status})"), suggested
    return (Verdict("same") if status == 0 else Verdict(f"status {status}", last_line(log))), suggested
