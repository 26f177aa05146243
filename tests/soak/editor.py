"""One editor at work: its documents, what it asks, and what it does with answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.soak.checks import CANCELLED, Asked, complaints_about_items, edit_of
from tests.soak.connection import Answer, Connection, OnAnswer, Pending
from tests.soak.documents import ClientDocument
from tests.soak.faults import Fault, Faults
from tests.soak.habits import Habit
from tests.soak.material import Sample
from tests.soak.server_process import ServerProcess

INLINE, MENU = "textDocument/inlineCompletion", "textDocument/completion"
INVOKED, AUTOMATIC = 1, 2

SETTINGS = {"debounceMs": "auto", "maxTokens": 16, "alternatives": 2, "threads": 1}


@dataclass(frozen=True)
class Shown:
    """Items that the editor shows, for the text that they were asked for."""

    asked: Asked
    items: tuple[dict[str, Any], ...]


class Editor:
    """A client with one server. Operations are functions on it; `random` is that of the operation under way."""

    def __init__(self, habit: Habit, server: ServerProcess, faults: Faults, now: Callable[[], float]) -> None:
        self.habit, self.server, self.faults, self._now = habit, server, faults, now
        self.connection = Connection(server, self._answer_server)
        self.documents: list[ClientDocument] = []
        self.settings: dict[str, Any] = dict(SETTINGS)
        self.section: Any = self.settings
        """What the server gets when it asks for settings: `self.settings`, or for a while something broken."""
        self.random = Random(0)
        self.operation = 0
        self.operations: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.shown: Shown | None = None
        self.latest: dict[str, int] = {}
        """The last automatic request of each document."""
        self.opened = 0

    # Beginning and end

    async def initialize(self) -> None:
        """Say who this is and wait until the server is ready to suggest."""
        options = {**self.settings, "completionMenu": self.habit.menu}
        answer = await self.connection.ask(
            "initialize",
            {"processId": None, "capabilities": self.habit.capabilities(), "initializationOptions": options},
        )
        encoding = answer["result"]["capabilities"].get("positionEncoding", "utf-16")
        if encoding != self.habit.encoding:
            self.fault("encoding", f"asked for {self.habit.encoding}, got {encoding}")
        self.connection.notify("initialized", {})
        await self.connection.ask("workspace/executeCommand", {"command": "greencode.stats"}, "until it is ready")

    def fault(self, kind: str, detail: str) -> None:
        """Note a fault, with the last messages."""
        wire = tuple(self.connection.wire)
        self.faults.add(Fault(kind, self.habit.name, self.operation, detail, round(self._now(), 1), wire))

    def _answer_server(self, method: str, params: Any) -> Answer:
        if method == "workspace/configuration":
            return {"result": [self.section for _ in params["items"]]}
        if method in ("client/registerCapability", "window/workDoneProgress/create"):
            return {"result": None}
        return {"error": {"code": -32601, "message": "method not found"}}

    # Documents

    def open(self, sample: Sample, uri: str | None = None) -> ClientDocument:
        """Open a document with a new name, or with that of one that was closed."""
        self.opened += 1
        uri = uri or f"file:///tmp/soak/{self.habit.name}/file%20{self.opened}.{sample.suffix}"
        document = ClientDocument(uri, sample.language, sample.content, self.habit.encoding, sample.line_end)
        document.cursor = document.text.whole_character(self.random.randint(0, len(sample.content)))
        item = {"uri": uri, "languageId": sample.language, "version": 1, "text": sample.content}
        self.connection.notify("textDocument/didOpen", {"textDocument": item})
        self.documents.append(document)
        return document

    def close(self, document: ClientDocument) -> None:
        """Close a document."""
        document.close()
        self.documents.remove(document)
        self.connection.notify("textDocument/didClose", {"textDocument": {"uri": document.uri}})
        self.note_when_read(document)

    def change(self, document: ClientDocument, *changes: dict[str, Any]) -> None:
        """Tell the server of changes that have been made, in this editor's way."""
        if self.random.random() < self.habit.full_sync:
            changes = (document.whole(),)
        if document.notebook is None:
            self._send_change(document, list(changes))
        else:
            self._send_cell_change(document, list(changes))
        self.note_when_read(document)

    def _send_change(self, document: ClientDocument, changes: list[dict[str, Any]]) -> None:
        version: int | None = document.state + 1
        if not self.habit.versions and self.random.random() < 0.3:
            version = None
        document.version = version
        name = {"uri": document.uri, "version": version}
        self.connection.notify("textDocument/didChange", {"textDocument": name, "contentChanges": changes})

    def _send_cell_change(self, document: ClientDocument, changes: list[dict[str, Any]]) -> None:
        cell = {"document": {"uri": document.uri, "version": document.state + 1}, "changes": changes}
        book = {"uri": document.notebook, "version": document.state + 1}
        change = {"cells": {"textContent": [cell]}}
        self.connection.notify("notebookDocument/didChange", {"notebookDocument": book, "change": change})

    def note_when_read(self, document: ClientDocument) -> None:
        """Find out when the server has certainly read the document's present state.

        It reads messages in order and answers `greencode.tokens` at once. Two of them in turn: what it was about to
        send when it read the first has been sent before it answers the second.
        """
        if not any(pending.method in (INLINE, MENU) for pending in self.connection.pending.values()):
            document.seen_state = max(document.seen_state, document.state)
            return
        state = document.state

        def read(_: Answer) -> None:
            document.seen_state = max(document.seen_state, state)

        self.command("tokens", "none", on_answer=lambda _: self.command("tokens", "none", on_answer=read))

    # Requests

    def command(self, name: str, *arguments: Any, on_answer: OnAnswer | None = None) -> int:
        """Execute one of the server's commands; an error is a fault."""
        label = f"greencode.{name}"
        expected = on_answer or (lambda _: None)

        def answered(answer: Answer) -> None:
            self.check_error(answer, label)
            expected(answer)

        params = {"command": label, "arguments": list(arguments)}
        return self.connection.request("workspace/executeCommand", params, answered, label)

    def suggest(
        self, document: ClientDocument, offset: int, automatic: bool, selected: tuple[int, int, str] | None = None
    ) -> int:
        """Ask for suggestions at a place in the text; an automatic request may supersede the one before."""
        asked = Asked.now(document, document.text.whole_character(offset), selected)
        context: dict[str, Any] = {"triggerKind": AUTOMATIC if automatic else INVOKED}
        if selected is not None:
            begin, end, text = selected
            where = {"start": asked.text.position(begin), "end": asked.text.position(end)}
            context["selectedCompletionInfo"] = {"range": where, "text": text}
        return self.suggest_at(asked, asked.text.position(min(offset, len(asked.text.content))), context, automatic)

    def suggest_at(self, asked: Asked, position: dict[str, int], context: dict[str, Any], automatic: bool) -> int:
        """Ask for suggestions at a position, which need not be a place in the text."""
        uri = asked.document.uri
        method = MENU if self.habit.menu and self.random.random() < 0.5 else INLINE
        params: dict[str, Any] = {"textDocument": {"uri": uri}, "position": position}
        if method == INLINE:
            params["context"] = context
        elif self.random.random() < 0.7:
            params["context"] = {"triggerKind": 1}
        if method == MENU:
            asked = Asked(asked.document, asked.state, asked.text, asked.offset, asked.line_end)
        if automatic and self.habit.cancels and uri in self.latest:
            self.connection.cancel(self.latest[uri])
        number = self.connection.request(method, params, lambda answer: self._suggested(asked, method, answer))
        if automatic:
            self.latest[uri] = number
        return number

    def _suggested(self, asked: Asked, method: str, answer: Answer) -> None:
        if not self.check_error(answer, method):
            return
        result = answer.get("result") or {"items": []}
        items = tuple(result if isinstance(result, list) else result["items"])
        self.answers["with items" if items else "empty"] += 1
        complaints = complaints_about_items(asked, items)
        for complaint in complaints:
            kind, _, _ = complaint.partition(":")
            self.fault(f"{kind} ({method})", f"{complaint} in {asked.document.uri}: {json.dumps(items)[:200]}")
        if complaints:
            return  # what follows from a wrong item would be reported again and again
        if items and asked.offset is not None and asked.state == asked.document.state:
            self.shown = Shown(asked, items)
            if self.habit.reports and method == INLINE:
                self.connection.notify("textDocument/didShowCompletion", {"item": items[0]})

    def check_error(self, answer: Answer, label: str) -> bool:
        """Say whether an answer to a well-formed request has a result; an error other than cancelled is a fault."""
        error = answer.get("error")
        if error is None:
            return True
        self.answers["cancelled" if error["code"] in CANCELLED else "error"] += 1
        if error["code"] not in CANCELLED:
            self.fault(f"error answer ({label})", f"{error['code']} {error['message'][:300]}")
        return False

    def accept(self, shown: Shown, item: dict[str, Any], length: int | None = None) -> None:
        """Take an item that is shown, or its first `length` characters, as the editor would."""
        document, asked = shown.asked.document, shown.asked
        where, new = edit_of(item)
        start, end = asked.text.offset(where["start"]), asked.text.offset(where["end"])
        if start is None or end is None:
            return  # already reported
        self.change(document, document.replace(start, end, new if length is None else new[:length]))

    async def until_answered(self, number: int) -> None:
        """Wait for one answer, as a person waits who wants to see a suggestion."""
        while number in self.connection.pending and self.connection.broken is None:
            await asyncio.sleep(0.02)

    def oldest_pending(self) -> Pending | None:
        """Return the request that has waited longest."""
        return min(self.connection.pending.values(), key=lambda pending: pending.sent, default=None)

    def waiting_seconds(self) -> float:
        """Return how long the oldest request has waited."""
        oldest = self.oldest_pending()
        return 0.0 if oldest is None else time.monotonic() - oldest.sent
