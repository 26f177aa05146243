"""Operations on texts: what a person types, asks for, takes and throws away."""

from __future__ import annotations

import asyncio
import re

from tests.soak import material
from tests.soak.checks import Asked, edit_of, first_units
from tests.soak.documents import ClientDocument
from tests.soak.editor import INVOKED, Editor

FEWEST_DOCUMENTS, MOST_DOCUMENTS = 5, 12


def open_document(editor: Editor) -> ClientDocument:
    """Open some file."""
    line_end = editor.random.choice(editor.habit.line_ends)
    return editor.open(material.sample(editor.random, line_end))


def some_document(editor: Editor) -> ClientDocument:
    """Return a document to work in, mostly one of the last two; there are always a few."""
    while len(editor.documents) < FEWEST_DOCUMENTS:
        open_document(editor)
    recent = editor.documents[-2:] if editor.random.random() < 0.6 else editor.documents
    return editor.random.choice(recent)


async def open_another(editor: Editor) -> None:
    """Open a file, and close one where there are many."""
    if len(editor.documents) >= MOST_DOCUMENTS:
        await close_one(editor)
    open_document(editor)


async def close_one(editor: Editor) -> None:
    """Close a file; now and then it is opened again at once with another text under the same name."""
    document = editor.random.choice(editor.documents) if editor.documents else open_document(editor)
    if document.notebook is not None:
        return
    if editor.random.random() < 0.3:
        editor.suggest(document, document.cursor, automatic=False)
    editor.close(document)
    if editor.random.random() < 0.3:
        again = material.sample(editor.random, editor.random.choice(editor.habit.line_ends))
        editor.open(again, uri=document.uri)


async def close_all(editor: Editor) -> None:
    """Close every document, as at the end of a day."""
    for document in list(editor.documents):
        editor.close(document)


async def type_on(editor: Editor) -> None:
    """Type a few characters at the cursor, each followed by an automatic request; at the end wait for an answer."""
    random, document = editor.random, some_document(editor)
    piece = material.typed_text(random, document.language if document.language in material.SOURCES else "python", "\n")
    number = None
    for character in piece[: random.randint(2, 12)]:
        new = (document.line_end or random.choice(("\n", "\r\n"))) if character == "\n" else character
        at = min(document.cursor, len(document.content))
        editor.change(document, document.replace(at, at, new))
        number = editor.suggest(document, document.cursor, automatic=True)
        await editor.connection.drain()
        await asyncio.sleep(random.expovariate(1 / 0.12))
    if number is not None and random.random() < 0.7:
        await editor.until_answered(number)


async def paste(editor: Editor) -> None:
    """Replace some part of a text, or several parts in one change."""
    random, document = editor.random, some_document(editor)
    changes = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        start = document.text.whole_character(random.randint(0, len(document.content)))
        end = document.text.whole_character(min(start + random.choice((0, 0, 3, 40, 400)), len(document.content)))
        language = document.language if document.language in material.SOURCES else "c"
        new = material.typed_text(random, language, document.line_end or "\r\n")
        changes.append(document.replace(start, max(start, end), new))
    editor.change(document, *changes)
    if random.random() < 0.5:
        editor.suggest(document, document.cursor, automatic=True)


async def delete(editor: Editor) -> None:
    """Take a part of a text away, and ask as editors do."""
    random, document = editor.random, some_document(editor)
    end = document.text.whole_character(random.randint(0, len(document.content)))
    start = document.text.whole_character(max(end - random.choice((1, 1, 5, 80, 4000)), 0))
    editor.change(document, document.replace(start, end, ""))
    editor.suggest(document, document.cursor, automatic=True)


async def undo(editor: Editor) -> None:
    """Bring back the text before the last change."""
    document = some_document(editor)
    if document.before is not None:
        editor.change(document, document.set_content(document.before))


async def ask_while_typing(editor: Editor) -> None:
    """Move the cursor and ask automatically."""
    document = some_document(editor)
    document.cursor = document.text.whole_character(editor.random.randint(0, len(document.content)))
    editor.suggest(document, document.cursor, automatic=True)


async def ask(editor: Editor) -> None:
    """Ask explicitly at the end of some line, and wait for the answer or go on."""
    random, document = editor.random, some_document(editor)
    _, document.cursor = document.text.line_of(random.randint(0, len(document.content)))
    number = editor.suggest(document, document.cursor, automatic=False)
    if random.random() < 0.8:
        await editor.until_answered(number)


async def ask_with_menu_entry(editor: Editor) -> None:
    """Ask while an entry of the editor's own menu is selected, which would complete the word at the cursor."""
    random, document = editor.random, some_document(editor)
    names = list(re.finditer(r"[A-Za-z_]{4,}", document.content[:50_000]))
    if names:
        name = random.choice(names)
        typed = name.start() + random.randint(1, 3)
        if random.random() < 0.5:
            editor.change(document, document.replace(typed, name.end(), ""))
        editor.suggest(document, typed, automatic=True, selected=(name.start(), typed, name.group()))


async def ask_outside(editor: Editor) -> None:
    """Ask at a position that the text does not have, or of a document that is not open."""
    random, document = editor.random, some_document(editor)
    asked = Asked.now(document, None)
    position = random.choice(({"line": 10**6, "character": 0}, {"line": 0, "character": 10**6}))
    if random.random() < 0.3:
        unknown = ClientDocument("file:///nowhere.py", "python", "", editor.habit.encoding)
        asked = Asked.now(unknown, None)
    editor.suggest_at(asked, position, {"triggerKind": INVOKED}, automatic=False)


async def ask_and_change(editor: Editor) -> None:
    """Ask explicitly and change the text before the answer can be there: that answer must not be shown any more."""
    random, document = editor.random, some_document(editor)
    _, document.cursor = document.text.line_of(random.randint(0, len(document.content)))
    number = editor.suggest(document, document.cursor, automatic=False)
    await asyncio.sleep(random.choice((0, 0.01, 0.3)))
    new = random.choice(("x", "(", document.line_end or "\n"))
    editor.change(document, document.replace(document.cursor, document.cursor, new))
    if random.random() < 0.5:
        await editor.until_answered(number)


async def accept(editor: Editor) -> None:
    """Take the suggestion that is shown, whole or in part, and ask again behind it."""
    shown, random = editor.shown, editor.random
    if shown is None or shown.asked.state != shown.asked.document.state:
        await ask(editor)
        shown = editor.shown
        if shown is None or shown.asked.state != shown.asked.document.state:
            return
    editor.shown = None
    item = random.choice(shown.items)
    _, new = edit_of(item)
    if editor.habit.reports and random.random() < 0.3:
        part = first_units(new, random.randint(1, 10))
        params = {"item": item, "acceptedLength": len(part.encode("utf-16-le", errors="surrogatepass")) // 2}
        editor.connection.notify("textDocument/didPartiallyAcceptCompletion", params)
        editor.accept(shown, item, len(part))
    else:
        editor.accept(shown, item)
        command = item["command"]
        editor.command(command["command"].removeprefix("greencode."), *command["arguments"])
    document = shown.asked.document
    number = editor.suggest(document, document.cursor, automatic=True)
    await editor.until_answered(number)


async def cancel(editor: Editor) -> None:
    """Cancel some request, after a while or at once, or one that is not there."""
    pending = [number for number, request in editor.connection.pending.items() if not request.cancelled]
    if not pending or editor.random.random() < 0.3:
        pending = [editor.suggest(document := some_document(editor), document.cursor, automatic=False)]
        await asyncio.sleep(editor.random.choice((0, 0.05, 0.5)))
    editor.connection.cancel(editor.random.choice(pending))
    if editor.random.random() < 0.1:
        editor.connection.notify("$/cancelRequest", {"id": 10**9})
