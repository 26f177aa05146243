"""Operations with odd files, notebooks, settings, commands and malformed messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from tests.soak import material
from tests.soak.documents import ClientDocument
from tests.soak.editor import SETTINGS, Editor
from tests.soak.text_operations import some_document

VALID_SETTINGS: tuple[dict[str, Any], ...] = (
    {"maxTokens": 8},
    {"maxTokens": 24},
    {"alternatives": 1},
    {"alternatives": 3},
    {"debounceMs": 0},
    {"debounceMs": 60},
    {"multiline": "never"},
    {"multiline": "always"},
    {"automatic": False},
    {"otherFiles": True},
    {"languages": ["python", "java"]},
    {"exclude": ["*.md", "**/file 1*"]},
    {"gridFactor": "world"},
    {"gridFactor": 42},
    {"maxQualityLoss": 2},
    {"profile": "full"},
    {"profile": "balanced"},
    {"pauseOnBattery": True},
)

BROKEN_SETTINGS: tuple[Any, ...] = (
    5,
    "text",
    [],
    [None],
    None,
    {"maxTokens": "many"},
    {"maxTokens": 10**9},
    {"profile": "warp"},
    {"profile": None},
    {"debounceMs": -1},
    {"exclude": "*.py"},
    {"languages": [5]},
    {"gridFactor": "mars"},
    {"alternatives": 0.5},
    {"noSuchSetting": True},
    {"": {}},
    {"threads": "two"},
)


async def open_odd_file(editor: Editor) -> None:
    """Open a large, binary, one-line, broken or blank file, ask in it, change it and close it."""
    random = editor.random
    make: Callable[[Random], material.Sample] = random.choice(
        (material.large, material.long_line, material.binary, material.surrogates, material.blank)
    )
    document = editor.open(make(random))
    await editor.connection.drain()
    for _ in range(random.randint(1, 3)):
        offset = document.text.whole_character(random.randint(0, len(document.content)))
        editor.suggest(document, offset, automatic=random.random() < 0.5)
        editor.change(document, document.replace(offset, offset, random.choice(("x", "🙂", "\ud83d"))))
        await editor.connection.drain()
    number = editor.suggest(document, document.cursor, automatic=False)
    await editor.until_answered(number)
    editor.close(document)


async def work_in_notebook(editor: Editor) -> None:
    """Open a notebook, work in its cells, take one out and close it."""
    if not editor.habit.notebooks:
        return
    random = editor.random
    editor.opened += 1
    book = f"file:///tmp/soak/book{editor.opened}.ipynb"
    samples = [material.sample(random, "\n") for _ in range(random.randint(2, 4))]
    cells = []
    for number, sample in enumerate(samples):
        uri = f"vscode-notebook-cell:/tmp/soak/book{editor.opened}.ipynb#W{number}"
        cell = ClientDocument(uri, "python", sample.content, editor.habit.encoding, "\n")
        cell.notebook = book
        cells.append(cell)
    items = [{"uri": one.uri, "languageId": "python", "version": 1, "text": one.content} for one in cells]
    kinds = [{"kind": random.choice((1, 2, 2)), "document": one.uri} for one in cells]
    notebook = {"uri": book, "notebookType": "jupyter-notebook", "version": 1, "cells": kinds}
    editor.connection.notify("notebookDocument/didOpen", {"notebookDocument": notebook, "cellTextDocuments": items})
    for _ in range(random.randint(2, 5)):
        cell = random.choice(cells)
        at = cell.text.whole_character(random.randint(0, len(cell.content)))
        editor.change(cell, cell.replace(at, at, material.typed_text(random, "python", "\n")))
        number = editor.suggest(cell, cell.cursor, automatic=random.random() < 0.5)
        if random.random() < 0.5:
            await editor.until_answered(number)
    for cell in cells:
        cell.close()
    closed = {"notebookDocument": {"uri": book}, "cellTextDocuments": [{"uri": one.uri} for one in cells]}
    editor.connection.notify("notebookDocument/didClose", closed)
    for cell in cells:
        editor.note_when_read(cell)


async def change_settings(editor: Editor) -> None:
    """Change one setting; the others go back to their first values."""
    editor.settings = {**editor.settings, **editor.random.choice(VALID_SETTINGS)}
    if editor.random.random() < 0.3:
        editor.settings = dict(SETTINGS)
    send_settings(editor, editor.settings)


async def break_settings(editor: Editor) -> None:
    """Send settings that make no sense, ask, and send proper ones again."""
    send_settings(editor, editor.random.choice(BROKEN_SETTINGS))
    document = some_document(editor)
    editor.suggest(document, document.cursor, automatic=False)
    await asyncio.sleep(editor.random.choice((0, 0.2)))
    send_settings(editor, editor.settings)


async def change_threads(editor: Editor) -> None:
    """Change what makes the server load its model again; once in a while name a model that there is not."""
    if editor.random.random() < 0.3:
        send_settings(editor, {**editor.settings, "model": "no-such-model"})
        document = some_document(editor)
        await editor.until_answered(editor.suggest(document, document.cursor, automatic=False))
    editor.settings = {**editor.settings, "threads": 3 - editor.settings["threads"]}
    send_settings(editor, editor.settings)


def send_settings(editor: Editor, section: Any) -> None:
    """Tell the server that settings have changed; it asks for them where this client can be asked."""
    editor.section = section
    settings = None if editor.habit.configuration else {"greencode": section}
    editor.connection.notify("workspace/didChangeConfiguration", {"settings": settings})


async def set_profile(editor: Editor) -> None:
    """Choose another profile; there may be none of that name."""
    name = editor.random.choice(("auto", "full", "exact", "balanced", "eco", "warp"))
    params = {"command": "greencode.setProfile", "arguments": [name]}
    answer = await editor.connection.ask("workspace/executeCommand", params, "greencode.setProfile")
    if name == "warp" and "error" not in answer:
        editor.fault("profile", "the profile warp was accepted")


async def pause(editor: Editor) -> None:
    """Pause, ask in vain, and resume; or pause for less than a second."""
    if editor.random.random() < 0.3:
        editor.command("pause", 0.01)
        return
    editor.command("pause", 5)
    document = some_document(editor)
    await editor.until_answered(editor.suggest(document, document.cursor, automatic=False))
    editor.command("resume")


async def look_at_figures(editor: Editor) -> None:
    """Ask for figures."""
    name = editor.random.choice(("stats", "stats", "dashboard", "dashboard", "csv"))
    number = editor.command(name)
    if editor.random.random() < 0.5:
        await editor.until_answered(number)


async def reset_figures(editor: Editor) -> None:
    """Forget all figures."""
    editor.command("resetStats")


async def call_doctor(editor: Editor) -> None:
    """Let the server examine itself."""
    await editor.until_answered(editor.command("doctor"))


async def send_malformed(editor: Editor) -> None:
    """Send a message that makes no sense. With an id and a method it must be answered."""
    random, connection = editor.random, editor.connection
    notifications: tuple[tuple[str, Any], ...] = (
        ("textDocument/didShowCompletion", {"item": 5}),
        ("textDocument/didShowCompletion", None),
        ("textDocument/didPartiallyAcceptCompletion", {"item": {}, "acceptedLength": -1}),
        ("textDocument/didOpen", {"textDocument": {"uri": 5}}),
        (
            "textDocument/didChange",
            {"textDocument": {"uri": "file:///not-open.py", "version": 2}, "contentChanges": []},
        ),
        ("textDocument/didChange", {"contentChanges": "x"}),
        ("textDocument/didClose", {"textDocument": {"uri": "file:///not-open.py"}}),
        ("greencode/unknown", {"a": [1, None]}),
        ("$/cancelRequest", {"id": None}),
        ("$/setTrace", {"value": "loud"}),
        ("workspace/didChangeConfiguration", None),
    )
    requests: tuple[tuple[str, Any], ...] = (
        ("textDocument/inlineCompletion", {"nonsense": 1}),
        ("textDocument/inlineCompletion", None),
        ("textDocument/inlineCompletion", {"textDocument": {"uri": "file:///a.py"}, "position": {"line": -1}}),
        ("workspace/executeCommand", {"command": "greencode.pause", "arguments": ["soon"]}),
        ("workspace/executeCommand", {"command": "greencode.unknown"}),
        ("workspace/executeCommand", {"command": "greencode.didAccept", "arguments": [1, 2, 3]}),
        ("no/such/method", {}),
    )
    bodies = (b"{", b"[]", b"null", b"5", b'"text"', b'{"jsonrpc": "2.0"}', b'{"id": 1}', b"\xff\xfe", b"{}" * 3)
    choice = random.random()
    if choice < 0.4:
        connection.notify(*random.choice(notifications))
    elif choice < 0.8:
        connection.request(*random.choice(requests), lambda answer: None, "malformed request")
    else:
        body = random.choice(bodies)
        connection.send_bytes(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    document = some_document(editor)
    editor.suggest(document, document.cursor, automatic=True)
