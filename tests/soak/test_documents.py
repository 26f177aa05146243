"""The soak test's own documents, by which it judges servers: against hand counts, and against the server's."""

from random import Random

import pytest
from lsprotocol import types

from greencode_lsp.server.documents import Documents
from tests.soak.documents import UTF_8, UTF_16, UTF_32, ClientDocument, Text, line_ends, units
from tests.soak.material import LINE_ENDS, ODDITIES

ENCODINGS = (UTF_8, UTF_16, UTF_32)


@pytest.mark.parametrize(
    ("text", "in_utf_8", "in_utf_16", "in_utf_32"),
    [("abc", 3, 3, 3), ("é", 2, 1, 1), ("e\u0301", 3, 2, 2), ("漢", 3, 1, 1), ("🙂", 4, 2, 1), ("\ud83d", 3, 1, 1)],
    ids=["letters", "accent", "combining mark", "ideograph", "emoji", "lone surrogate"],
)
def test_units_are_those_of_the_encoding(text: str, in_utf_8: int, in_utf_16: int, in_utf_32: int) -> None:
    assert [units(text, encoding) for encoding in ENCODINGS] == [in_utf_8, in_utf_16, in_utf_32]


def test_lines_end_at_cr_lf_and_both_and_nowhere_else() -> None:
    text = Text.of("a\r\nb\rc\nd\x0ce\u2028f\x85g", UTF_16)
    assert text.starts == (0, 3, 5, 7)
    assert text.ends == (1, 4, 6, 14)


@pytest.mark.parametrize(("encoding", "column"), [(UTF_8, 6), (UTF_16, 3), (UTF_32, 2)])
def test_a_position_counts_units_before_it(encoding: str, column: int) -> None:
    text = Text.of("x\r\né🙂b", encoding)
    assert text.position(5) == {"line": 1, "character": column}
    assert text.offset({"line": 1, "character": column}) == 5


@pytest.mark.parametrize(
    "position",
    [(0, 2), (1, 2), (1, 99), (2, 0), (-1, 0), (0, -1)],
    ids=["behind the line", "half an emoji", "far right", "no such line", "above", "left"],
)
def test_what_is_no_place_in_the_text_has_no_offset(position: tuple[int, int]) -> None:
    line, character = position
    assert Text.of("x\né🙂b", UTF_16).offset({"line": line, "character": character}) is None


def test_between_cr_and_lf_the_cursor_is_at_the_lines_end() -> None:
    text = Text.of("ab\r\nc", UTF_16)
    assert text.whole_character(3) == 2
    assert text.position(3) == {"line": 0, "character": 2}


def test_the_kinds_of_line_end_are_told_apart() -> None:
    assert line_ends("a\r\nb") == {"\r\n"}
    assert line_ends("a\rb\nc\r\n") == {"\r", "\n", "\r\n"}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("line_end", LINE_ENDS, ids=["LF", "CR LF", "CR", "mixed"])
def test_the_server_holds_the_same_text_after_any_edits(encoding: str, line_end: str | None) -> None:
    random = Random(f"{encoding}{line_end}")
    documents = Documents(None, types.TextDocumentSyncKind.Incremental, [], types.PositionEncodingKind(encoding))
    mine = ClientDocument("file:///a.py", "python", "", encoding, line_end)
    documents.put_text_document(types.TextDocumentItem(mine.uri, "python", 1, mine.content))
    for version in range(2, 200):
        pieces = ["x", "def", *ODDITIES, *([line_end] * 8 if line_end else ["\n", "\r\n", "\r"] * 3)]
        start = mine.text.whole_character(random.randint(0, len(mine.content)))
        end = mine.text.whole_character(min(start + random.choice((0, 0, 1, 2, 9)), len(mine.content)))
        change = mine.replace(start, max(start, end), "".join(random.choices(pieces, k=random.randint(0, 4))))
        where = types.Range(types.Position(**change["range"]["start"]), types.Position(**change["range"]["end"]))
        documents.update_text_document(
            types.VersionedTextDocumentIdentifier(version, mine.uri),
            types.TextDocumentContentChangePartial(where, change["text"]),
        )
        assert documents.text_documents[mine.uri].source == mine.content


def test_undoing_brings_the_text_before_the_last_change_back() -> None:
    document = ClientDocument("file:///a.py", "python", "abc", UTF_16)
    document.replace(1, 2, "XY")
    assert (document.content, document.cursor, document.before) == ("aXYc", 3, "abc")
    assert document.set_content("abc") == {"text": "abc"}
    assert document.state == 2
