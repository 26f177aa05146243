import pytest

from greencode_lsp.completion.fitting import Cursor, Fitted, fit


@pytest.mark.parametrize(
    ("text", "prefix", "suffix", "expected"),
    [
        ("x)", "print(", ")", Fitted("x)", 1)),
        ("x)", "print(", ")\nnext", Fitted("x)", 1)),
        ("a, b):", "def f(", ")", Fitted("a, b):", 1)),
        ("a, b):", "def f(", "):", Fitted("a, b):", 2)),
        ("f(x)", "print(", ")", Fitted("f(x)")),
        ("x) + y", "f(", ") * 2", Fitted("x")),
        ('name"', 'd["', '"]', Fitted('name"', 1)),
        ('name"]', 'd["', '"]', Fitted('name"]', 2)),
        ('"a", "b"', "f(", '"', Fitted('"a", "b"', 1)),
        ("a, b", "foo(", ", b)", Fitted("a")),
        (")", "f(x", ")", Fitted("")),
        ("value", "x = ", "", Fitted("value")),
        ("value   \n", "x = ", "   \nnext", Fitted("value")),
    ],
)
def test_nothing_behind_the_cursor_on_its_line_is_written_twice(text, prefix, suffix, expected):
    assert fit(text, Cursor(prefix, suffix, "python")) == expected


@pytest.mark.parametrize(
    ("text", "prefix", "suffix", "expected"),
    [
        ("return x", "def f(x):\n    ", "\n    return x\n", ""),
        ("y = 1\n    return y", "def f():\n    ", "\n    return y\n", "y = 1"),
        ("rn x", "    retu", "\n    return x\n", ""),
        ("a();\n}", "void f() {\n    ", "\n}\n", "a();"),
        ("\n    a();\n}", "void f() {", "\n}\n", "\n    a();"),
        ("a()\nb()\nc()", "", "\nb()\nc()\nd()", "a()"),
        ("a()\nb()\nx()", "", "\nb()\nc()", "a()\nb()\nx()"),
        ("5", "x = ", "\n5\n", "5"),
    ],
)
def test_the_next_lines_are_not_written_twice(text, prefix, suffix, expected):
    assert fit(text, Cursor(prefix, suffix, "python")).text == expected
