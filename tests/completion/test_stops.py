import pytest

from greencode_lsp.completion.fitting import Cursor
from greencode_lsp.completion.stops import first_end, stop_rules


def cut(prefix: str, text: str, line_suffix: str = "", multiline: str = "auto") -> str | None:
    """Feed a text character by character, as the decoder does; return it cut where it first ends."""
    rules = stop_rules(Cursor(prefix, line_suffix, "python"), multiline)
    for length in range(len(text) + 1):
        if (end := first_end(rules, text[:length])) is not None:
            assert first_end(rules, text[:length]) == end
            return text[:end]
    return None


@pytest.mark.parametrize(
    ("prefix", "text", "expected"),
    [
        ("x = ", "1 + 2\ny = 3\n", "1 + 2"),
        ("x = ", "1 + 2\r\ny = 3\n", "1 + 2"),
        ("x = 1", "\ny = 2\nz = 3\n", "\ny = 2"),
        ("x = ", "1 + 2", None),
        ("x = 1", "\n\n# Usage:\n", ""),
    ],
)
def test_a_line_ends_at_its_line_break(prefix, text, expected):
    assert cut(prefix, text) == expected


def test_text_behind_the_cursor_allows_nothing_on_other_lines():
    assert cut("f(", "\n    a,\n    b", line_suffix=")") == ""
    assert cut("def f(", "a, b\n    return", line_suffix="):") == "a, b"


@pytest.mark.parametrize(
    ("prefix", "text", "expected"),
    [
        ("def f(x):\n    ", "y = x\n    return y\n\ndef g():\n", "y = x\n    return y"),
        ("def f(x):\n    ", "return x\ndef g():\n", "return x"),
        (
            "def f(x):",
            "\n    if x:\n        return 1\n    return 2\nprint(",
            "\n    if x:\n        return 1\n    return 2",
        ),
        ("    for a in b:", "\n        use(a)\n    done()\n", "\n        use(a)"),
        ("void f() {", "\n    int a;\n    g(a);\n}\nvoid h", "\n    int a;\n    g(a);\n}"),
        ("if (a) {\n    ", "b();\n}\nc();", "b();"),
        ("\tif x {", "\n\t\ty()\n\t}\n\tz()", "\n\t\ty()\n\t}"),
        ("import os\n\n", "def f():\n    return 1\n\n\ndef g", "def f():\n    return 1"),
        ("def f(x):\n    ", "y = x\n    \n    z = y\n", "y = x"),
        ("def f(x):\n    ", "y = x\n    z = y\n    ret", None),
    ],
)
def test_a_block_ends_where_its_indentation_does(prefix, text, expected):
    assert cut(prefix, text) == expected


def test_the_multiline_setting_decides_over_the_context():
    assert cut("def f(x):\n    ", "a = 1\n    b = 2\n\n", multiline="never") == "a = 1"
    assert cut("x = 1", "\ny = 2\nz = 3\n\n", multiline="always") == "\ny = 2\nz = 3"


def test_a_text_that_goes_round_in_circles_is_cut():
    assert cut("x = [", "1, 2, " * 20) == ""
    assert cut("s = '", "ab" * 40) == ""
    assert cut("def f():\n    ", "x = 1\n    return g(" + "a.b(" * 20) == "x = 1"
    assert cut("def f():", "\n    return g(" + "a.b(" * 20) == ""
    assert cut("def f():\n    ", "x = g()\n    y = g()\n" + "    y = g()\n" * 20) == "x = g()\n    y = g()"
    assert cut("def f():\n    ", "raise ValueError('no')\n    x = 1\n    raise ValueError('no')\n    ") == (
        "raise ValueError('no')\n    x = 1"
    )


@pytest.mark.parametrize("text", ["0, 0, 0, 0", "a = b\n    a = b", "----------"])
def test_a_short_repetition_is_code(text):
    assert cut("def f():\n    ", text) is None
