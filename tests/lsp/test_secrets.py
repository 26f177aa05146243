"""Files that hold secrets get no suggestions, are seen by no other file, and leave nothing in the cache."""

import json
import re
from pathlib import Path

import pytest
from lsprotocol import types

from greencode_lsp.server.secret_files import SECRET_FILES
from tests.lsp.conftest import OPTIONS, PYTHON, Editor, change_settings, running_editor, until

ROOT = Path(__file__).resolve().parents[2]

ENV = "GATEWAY_TOKEN=tok_live_93bX2mQz81\nGATEWAY_TOKEN_OLD="

SPLINES = "def reticulate_splines_quickly(spline_count):\n    return spline_count * 2\n"

USES_SPLINES = "from splines import reticulate"


@pytest.mark.parametrize(
    ("uri", "language", "name"),
    [
        ("file:///tmp/shop/.env.local", "plaintext", ".env.local"),
        ("file:///tmp/shop/%2Eenv", "properties", ".env"),
        ("file:///c%3A/shop/.ENV", "plaintext", ".ENV"),
        ("untitled:Untitled-7", "dotenv", "Untitled-7"),
        ("file:///tmp/shop/server.key", "plaintext", "server.key"),
    ],
)
async def test_a_file_of_secrets_gets_no_suggestion_even_when_asked_and_the_status_says_why(
    editor: Editor, uri: str, language: str, name: str
) -> None:
    elsewhere = editor.open(PYTHON)
    assert await editor.suggest(elsewhere, 9, 15)
    await until(lambda: not editor.status[-1]["message"].startswith("no suggestions"), "elsewhere there are some")
    await editor.until_told()
    told = len(editor.energy)
    editor.open(ENV, language, uri)
    assert await editor.suggest(uri, 1, 18, invoked=False) == []
    assert await editor.suggest(uri, 1, 18, invoked=True) == []
    assert editor.status[-1]["message"].startswith(f"no suggestions in {name}: greencode.exclude has ")
    assert editor.status[-1]["kind"] == "normal"
    await editor.until_told()
    assert len(editor.energy) == told
    assert await editor.suggest(elsewhere, 9, 15)
    assert "profile" in editor.status[-1]["message"]


async def test_a_template_of_an_env_file_gets_suggestions(editor: Editor) -> None:
    uri = editor.open("DATABASE_HOST=localhost\nDATABASE_PORT=", "dotenv", "file:///tmp/shop/.env.example")
    assert await editor.suggest(uri, 1, 14)


async def test_a_cell_of_an_excluded_notebook_gets_no_suggestion(editor: Editor) -> None:
    book, cell = "file:///tmp/id_rsa.ipynb", "vscode-notebook-cell:cell-one"
    kind = types.NotebookCellKind.Code
    editor.client.notebook_document_did_open(
        types.DidOpenNotebookDocumentParams(
            types.NotebookDocument(book, "jupyter-notebook", 1, [types.NotebookCell(kind, cell)]),
            [types.TextDocumentItem(cell, "python", 1, PYTHON)],
        )
    )
    assert await editor.suggest(cell, 9, 15) == []


async def test_other_files_never_see_a_file_while_it_is_excluded(default_bundle_folder: Path, tmp_path: Path) -> None:
    options = {**OPTIONS, "otherFiles": True}

    async def asked_in(name: str) -> str:
        items = await editor.suggest(editor.open(USES_SPLINES, uri=f"file:///tmp/{name}.py"), 0, 30)
        return "".join(str(item.insert_text) for item in items)

    async with running_editor(tmp_path) as editor:
        await editor.start(options=options)
        secret = editor.open(SPLINES, uri="file:///tmp/id_rsa.py")
        assert await editor.suggest(secret, 1, 28) == []
        assert "quickly" not in await asked_in("one")

        await change_settings(editor, {**options, "exclude": ["*.min.js"], "profile": "exact"})
        await until(lambda: "profile exact" in editor.status[-1]["message"], "a list of one's own is in force")
        await editor.until_told()
        told = len(editor.energy)
        await editor.suggest(secret, 1, 28)
        await until(lambda: len(editor.energy) > told, "it is completed now")
        assert not editor.energy[-1]["cached"]
        assert (await asked_in("two")).startswith("_splines_quickly")
        await editor.suggest(secret, 1, 28)  # where the person was last when it is excluded again

        await change_settings(editor, options)
        await until(lambda: "profile auto" in editor.status[-1]["message"], "the default is in force again")
        assert await editor.suggest(secret, 1, 28) == []
        assert "quickly" not in await asked_in("three")
        await editor.client.shutdown_session()


def test_vs_code_shows_the_same_default() -> None:
    manifest = json.loads((ROOT / "vscode-client" / "package.json").read_text(encoding="utf-8"))
    shown = manifest["contributes"]["configuration"]["properties"]["greencode.exclude"]["default"]
    assert tuple(shown) == SECRET_FILES


def test_the_readme_lists_the_same_default() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = readme.partition("### Files that are left out")[2].partition("A list of your own")[0]
    assert set(re.findall(r"`([^`]+)`", listed)) >= {pattern.removeprefix("!") for pattern in SECRET_FILES}
