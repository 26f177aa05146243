import pytest

from greencode_lsp.completion.lines import indentation, line_end_at, line_starts, split_lines


def test_lines_end_only_where_lsp_says_so():
    text = "a\x0cb\nc\r\nd\re\u2028f\x85g\n"
    assert split_lines(text) == ["a\x0cb\n", "c\r\n", "d\r", "e\u2028f\x85g\n", ""]
    assert line_starts(text) == [0, 4, 7, 9, 15]
    assert split_lines("") == [""]


def test_indentation_counts_tabs_to_the_next_multiple_of_four():
    assert [indentation(line) for line in ("x", "  x", "\tx", "  \tx", "\t  x", "")] == [0, 2, 4, 4, 6, 0]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("", "", "\n"),
        ("a", "", "\n"),
        ("a\r\nb", "c\n", "\r\n"),
        ("a\nb", "c\r\n", "\n"),
        ("a", "b\r\nc\n", "\r\n"),
        ("a\rb", "c\r", "\r"),
        ("a", "b\r", "\r"),
        ("a\r\nb\r", "c\r\n", "\r\n"),  # the half of a line end that is just being typed
        ("a\r\nb\r", "\nc", "\r\n"),
        ("a\nb\r", "", "\n"),
        ("\r", "\n", "\r\n"),
        ("\n", "", "\n"),
    ],
)
def test_the_line_end_at_a_place_is_the_nearest_and_a_lone_carriage_return_only_where_there_is_no_other(
    before: str, after: str, found: str
) -> None:
    assert line_end_at(before + after, len(before)) == found
