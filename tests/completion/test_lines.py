from greencode_lsp.completion.lines import indentation, line_starts, split_lines


def test_lines_end_only_where_lsp_says_so():
    text = "a\x0cb\nc\r\nd\re\u2028f\x85g\n"
    assert split_lines(text) == ["a\x0cb\n", "c\r\n", "d\r", "e\u2028f\x85g\n", ""]
    assert line_starts(text) == [0, 4, 7, 9, 15]
    assert split_lines("") == [""]


def test_indentation_counts_tabs_to_the_next_multiple_of_four():
    assert [indentation(line) for line in ("x", "  x", "\tx", "  \tx", "\t  x", "")] == [0, 2, 4, 4, 6, 0]
