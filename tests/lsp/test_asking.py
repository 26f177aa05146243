"""What a typing person is asked about and shown, by a real server."""

import asyncio
from pathlib import Path

from lsprotocol import types

from tests.lsp.conftest import OPTIONS, PYTHON, Editor, running_editor, until

SPLINES = "def reticulate_splines(count):\n    return count * 2\n\n\nreticulate_splines(4)\n"


async def test_a_deletion_asks_for_nothing_but_what_is_known_comes_back(editor: Editor) -> None:
    uri = editor.open(PYTHON)
    (first,) = await editor.suggest(uri, 9, 15, invoked=False)
    editor.change(uri, 2, (9, 15), (9, 15), "x")
    editor.change(uri, 3, (9, 15), (9, 16), "")
    (again,) = await editor.suggest(uri, 9, 15, invoked=False)
    assert again.insert_text == first.insert_text
    editor.change(uri, 4, (9, 14), (9, 15), "")
    assert await editor.suggest(uri, 9, 14, invoked=False) == []
    assert await editor.suggest(uri, 9, 14, invoked=True) != []


async def test_inside_a_word_only_an_explicit_request_is_answered(editor: Editor) -> None:
    uri = editor.open(PYTHON + "self_items")
    assert await editor.suggest(uri, 9, 19, invoked=False) == []
    editor.change(uri, 2, (9, 19), (9, 19), "")
    await editor.suggest(uri, 9, 19, invoked=True)


async def test_a_cursor_that_only_moved_is_let_go(editor: Editor) -> None:
    uri = editor.open("import sys\n" + PYTHON)
    assert await editor.suggest(uri, 10, 15, invoked=False)
    assert await editor.suggest(uri, 6, 14, invoked=False) == []
    assert await editor.suggest(uri, 10, 15, invoked=False)  # known


async def test_the_selected_menu_entry_is_what_the_suggestion_goes_on_from(editor: Editor) -> None:
    uri = editor.open(PYTHON + "le")
    word = types.Range(types.Position(9, 15), types.Position(9, 17))
    selected = types.SelectedCompletionInfo(word, "len")
    (item,) = await editor.suggest(uri, 9, 17, invoked=False, selected=selected)
    assert item.range == word
    assert item.insert_text == "len(self.items) == 0"


async def test_asked_explicitly_several_different_suggestions_come_the_likeliest_first(
    default_bundle_folder: Path, tmp_path: Path
) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start(options={**OPTIONS, "alternatives": 3})
        uri = editor.open(PYTHON)
        items = await editor.suggest(uri, 9, 15)
        texts = [item.insert_text for item in items]
        assert texts[0] == "len(self.items) == 0"
        assert len(set(texts)) == len(texts) > 1
        await until(lambda: len(editor.energy) >= len(texts), "the energy of all of them arrives")
        assert editor.energy[-1]["completionId"] == items[0].command.arguments[0]
        editor.change(uri, 2, (9, 15), (9, 15), texts[1][:2])
        (rest,) = await editor.suggest(uri, 9, 17, invoked=False)
        assert rest.insert_text == texts[1][2:]  # also the second is typed through
        await editor.client.shutdown_session()


async def test_while_typing_a_suggestion_ends_where_it_is_no_longer_likely(
    default_bundle_folder: Path, tmp_path: Path
) -> None:
    text = "import os\n\n\ndef list_files(path):\n    "
    async with running_editor(tmp_path) as editor:
        await editor.start(options={**OPTIONS, "maxTokens": 32, "certainty": 10})
        uri = editor.open(text)
        (likely,) = await editor.suggest(uri, 4, 4, invoked=False)
        (whole,) = await editor.suggest(uri, 4, 4, invoked=True)
        shown, known = str(likely.insert_text), str(whole.insert_text)
        assert known.startswith(shown)
        assert 0 < len(shown) < len(known)
        (again,) = await editor.suggest(uri, 4, 4, invoked=False)
        assert again.insert_text in (shown, known)  # known: computed no more
        await editor.until_told()
        assert len([note for note in editor.energy if not note["cached"]]) == 2
        await editor.client.shutdown_session()


async def test_on_demand_typing_asks_for_nothing(default_bundle_folder: Path, tmp_path: Path) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start(options={**OPTIONS, "automatic": False, "exclude": ["secret_*"]})
        uri = editor.open(PYTHON)
        assert await editor.suggest(uri, 9, 15, invoked=False) == []
        assert await editor.suggest(uri, 9, 15)
        secret = editor.open(PYTHON, uri="file:///tmp/secret_keys.py")
        assert await editor.suggest(secret, 9, 15) == []
        await editor.client.shutdown_session()


async def test_typing_on_within_the_adaptive_wait_computes_once(default_bundle_folder: Path, tmp_path: Path) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start(options={"maxTokens": 16})
        await editor.until_ready()
        uri = editor.open(PYTHON.removesuffix(" "))
        asked = []
        for version, character in enumerate(" self", start=2):
            at = (9, 12 + version)
            editor.change(uri, version, at, at, character)
            asked.append(asyncio.ensure_future(editor.suggest(uri, 9, 13 + version, invoked=False)))
            await asyncio.sleep(0)  # it is sent
        answers = await asyncio.gather(*asked)
        assert [bool(items) for items in answers] == [False] * 4 + [True]
        await editor.until_told()
        assert len(editor.energy) == 1
        await editor.client.shutdown_session()


async def test_other_files_are_seen(default_bundle_folder: Path, tmp_path: Path) -> None:
    async with running_editor(tmp_path) as editor:
        await editor.start(options={**OPTIONS, "otherFiles": True})
        other = "def reticulate_splines_quickly(spline_count):\n    return spline_count * 2\n"
        editor.open(other, uri="file:///tmp/splines.py")
        uri = editor.open("from splines import reticulate", uri="file:///tmp/main.py")
        (item,) = await editor.suggest(uri, 0, 30)
        assert item.insert_text.startswith("_splines_quickly")
        await editor.client.shutdown_session()


async def test_a_notebook_cell_sees_the_cells_above(editor: Editor) -> None:
    book = "file:///tmp/cells.ipynb"
    texts = {
        "vscode-notebook-cell:/tmp/cells.ipynb#1": SPLINES,
        "vscode-notebook-cell:/tmp/cells.ipynb#2": "Some *text*.",
        "vscode-notebook-cell:/tmp/cells.ipynb#3": "print(reticulate",
    }
    kinds = [types.NotebookCellKind.Code, types.NotebookCellKind.Markup, types.NotebookCellKind.Code]
    editor.client.notebook_document_did_open(
        types.DidOpenNotebookDocumentParams(
            types.NotebookDocument(
                book,
                "jupyter-notebook",
                1,
                [types.NotebookCell(kind, uri) for kind, uri in zip(kinds, texts, strict=True)],
            ),
            [types.TextDocumentItem(uri, "python", 1, text) for uri, text in texts.items()],
        )
    )
    (item,) = await editor.suggest(list(texts)[2], 0, 16)
    assert item.insert_text.startswith("_splines(")
    await editor.until_told()
    assert editor.energy[-1]["uri"] == book
