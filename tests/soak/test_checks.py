"""What the soak test takes for a fault, and what it does not."""

from typing import Any

import pytest

from tests.soak.checks import Asked, complaints_about_items, first_units, growth, lost_handles, percentile
from tests.soak.documents import UTF_16, UTF_32, ClientDocument
from tests.soak.faults import Fault, Faults, tracebacks


def asked(content: str = "ab🙂\r\ncd\r\n", offset: int = 7, line_end: str | None = "\r\n") -> Asked:
    return Asked.now(ClientDocument("file:///a.py", "python", content, UTF_16, line_end), offset)


def item(text: str, start: tuple[int, int], end: tuple[int, int]) -> dict[str, Any]:
    begin, until = ({"line": line, "character": character} for line, character in (start, end))
    return {"insertText": text, "range": {"start": begin, "end": until}}


def test_text_at_the_cursor_and_over_the_rest_of_its_line_is_right() -> None:
    assert complaints_about_items(asked(), [item("x", (1, 2), (1, 2))]) == []
    assert complaints_about_items(asked(offset=5), [item("x\r\ny", (1, 0), (1, 2))]) == []


def test_a_menu_entry_is_judged_by_its_edit() -> None:
    entry = item("x", (0, 0), (0, 0))
    menu = {"label": "x", "textEdit": {"range": entry["range"], "newText": "x"}}
    (complaint,) = complaints_about_items(asked(), [menu])
    assert complaint.startswith("range")


@pytest.mark.parametrize(
    ("start", "end"),
    [((1, 3), (1, 3)), ((0, 3), (0, 4)), ((0, 0), (0, 0)), ((1, 0), (2, 0)), ((1, 0), (1, 1)), ((5, 0), (5, 0))],
    ids=["behind the line", "half an emoji", "another line", "two lines", "left of the cursor", "no such line"],
)
def test_a_range_that_does_not_hold_the_cursor_in_its_line_is_a_fault(
    start: tuple[int, int], end: tuple[int, int]
) -> None:
    (complaint,) = complaints_about_items(asked(), [item("x", start, end)])
    assert complaint.startswith("range")


def test_line_ends_that_the_document_does_not_have_are_a_fault_where_it_has_one_kind() -> None:
    foreign = [item("x\ny", (1, 2), (1, 2))]
    (complaint,) = complaints_about_items(asked(), foreign)
    assert complaint.startswith("line ends")
    assert complaints_about_items(asked(line_end=None), foreign) == []


def test_an_item_without_text_is_a_fault() -> None:
    assert complaints_about_items(asked(), [item("", (1, 2), (1, 2))]) == ["empty: an item without text"]


def test_an_answer_for_a_text_that_the_server_knows_to_be_gone_is_a_fault() -> None:
    old = asked()
    old.document.replace(0, 1, "")
    items = [item("x", (1, 2), (1, 2))]
    assert complaints_about_items(old, items) == []  # the server need not have read the change
    old.document.seen_state = old.document.state
    (complaint,) = complaints_about_items(old, items)
    assert complaint.startswith("stale")
    assert complaints_about_items(old, []) == []


def test_with_a_selected_menu_entry_the_item_goes_on_from_it() -> None:
    document = ClientDocument("file:///a.py", "python", "x = pri", UTF_32)
    request = Asked.now(document, 7, (4, 7, "print"))
    assert complaints_about_items(request, [item("print(x)", (0, 4), (0, 7))]) == []
    for wrong in (item("print(x)", (0, 7), (0, 7)), item("range(x)", (0, 4), (0, 7))):
        (complaint,) = complaints_about_items(request, [wrong])
        assert complaint.startswith("selected")


@pytest.mark.parametrize(
    ("count", "expected"), [(0, ""), (1, "a"), (2, "a"), (3, "a🙂"), (9, "a🙂b")], ids=lambda value: repr(value)
)
def test_a_part_of_a_text_never_cuts_a_surrogate_pair(count: int, expected: str) -> None:
    assert first_units("a🙂b", count) == expected


def test_growth_compares_the_last_quarter_with_the_first() -> None:
    assert growth([100.0] * 10 + [500.0] * 20 + [110.0] * 10) == pytest.approx(0.1)
    assert growth([100.0] * 23) is None  # too short a run to judge


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (["pipe:[1]", "/a"], ["/a", "pipe:[1]"], []),
        (["pipe:[1]"], ["pipe:[2]"], []),
        (["/a"], ["/a", "/a"], ["/a"]),
        (["/a"], ["/a", "/l", "/l-wal", "/l-shm"], []),
        (["/l", "/l-wal", "/l-shm"], ["/l", "/l-wal", "/l-shm", "/l", "/l (deleted)"], ["/l"]),
    ],
    ids=["same", "another pipe", "twice", "ledger opened", "ledger opened again"],
)
def test_a_handle_is_lost_where_there_is_one_more_of_its_kind(
    before: list[str], after: list[str], lost: list[str]
) -> None:
    assert len(lost_handles(before, after, "/l")) == len(lost)


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([3.0, 1.0, 2.0], 1.0) == 3.0
    assert percentile([], 0.5) is None


def test_faults_are_counted_and_the_first_examples_kept() -> None:
    faults = Faults()
    assert not faults
    for number in range(5):
        faults.add(Fault("range", "vscode", number, f"number {number}", 1.0))
    assert faults.lines() == ["range (vscode, 5 times): number 0"]
    assert [example["operation"] for example in faults.payload()] == [0, 1, 2]


def test_tracebacks_are_found_by_what_was_raised() -> None:
    log = (
        "WARNING all is well\nTraceback (most recent call last):\n  File x\n    code\n    ^^^^\nKeyError: 'a'\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        "Traceback (most recent call last):\n  File y\nValueError: b\nWARNING on it goes\n"
    )
    assert tracebacks(log) == ["KeyError: 'a'", "ValueError: b"]
