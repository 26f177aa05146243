"""Positions: every encoding, and lines as LSP counts them."""

from pathlib import Path

import pytest
from lsprotocol import types

from greencode_lsp.server.documents import Document, Documents
from tests.lsp.conftest import PYTHON, Editor, running_editor
from tests.lsp.test_inline_completion import insertion

BEFORE = "        return ('🙂é' and self.ite"

EMOJI = PYTHON.replace("        return ", BEFORE + ")  # 🙂")

UNITS = {
    types.PositionEncodingKind.Utf8: len(BEFORE.encode()),
    types.PositionEncodingKind.Utf16: len(BEFORE.encode("utf-16-le")) // 2,
    types.PositionEncodingKind.Utf32: len(BEFORE),
}


@pytest.mark.parametrize("encoding", UNITS, ids=lambda encoding: encoding.value)
async def test_an_emoji_before_the_cursor_shifts_nothing(
    encoding: types.PositionEncodingKind, default_bundle_folder: Path, tmp_path: Path
) -> None:
    async with running_editor(tmp_path) as editor:
        result = await editor.start(encoding)
        assert result.capabilities.position_encoding == encoding
        uri = editor.open(EMOJI)
        (item,) = await editor.suggest(uri, 9, UNITS[encoding])
        assert item.insert_text.startswith("ms")
        assert item.range.start == types.Position(9, UNITS[encoding])
        await editor.client.shutdown_session()


@pytest.mark.parametrize("odd", ["\x0c", "\u2028", "\x85", "\x0b"], ids=["form feed", "U+2028", "NEL", "VT"])
async def test_odd_line_separators_above_the_cursor_shift_no_line(editor: Editor, odd: str) -> None:
    uri = editor.open(f"# before{odd}after\n" + PYTHON)
    (item,) = await editor.suggest(uri, 10, 15)
    assert item.insert_text.startswith("len(self.items)")
    editor.client.text_document_did_change(insertion(uri, 2, 10, 15, "self.ite"))
    (edited,) = await editor.suggest(uri, 10, 23)
    assert edited.insert_text.startswith("ms")


def document(text: str, encoding: types.PositionEncodingKind = types.PositionEncodingKind.Utf16) -> Document:
    documents = Documents(None, types.TextDocumentSyncKind.Incremental, [], encoding)
    documents.put_text_document(types.TextDocumentItem("file:///a.py", "python", 1, text))
    opened = documents.open_document("file:///a.py")
    assert opened is not None
    return opened


@pytest.mark.parametrize(
    ("line", "character", "offset"), [(0, 2, 2), (0, 99, 2), (1, 0, 4), (1, 2, 5), (1, 3, 6), (2, 0, 7), (9, 9, 7)]
)
def test_positions_past_an_end_fall_back_to_it(line: int, character: int, offset: int) -> None:
    assert document("ab\r\n🙂c\n").offset_at_position(types.Position(line, character)) == offset


def test_edits_apply_like_in_the_editor() -> None:
    text = document("one\x0ctwo\r\nthree\n")
    change = types.TextDocumentContentChangePartial(types.Range(types.Position(1, 0), types.Position(2, 0)), "3\n4")
    text.apply_change(change)
    assert text.source == "one\x0ctwo\r\n3\n4"
    text.apply_change(types.TextDocumentContentChangeWholeDocument("all new"))
    assert text.source == "all new"
