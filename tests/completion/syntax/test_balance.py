"""Whether a text keeps what stands around it balanced."""

import pytest

from greencode_lsp.completion.syntax import Balance, syntax_of
from greencode_lsp.completion.syntax import scanner as scanning


@pytest.mark.parametrize(
    ("language", "prefix", "suffix", "text", "replaces", "kept"),
    [
        ("python", "get('", "')", "PORT', 8080)", 0, False),
        ("python", "get('", "')", "PORT', 8080)", 2, True),
        ("python", "get('", "')", "PORT", 0, True),
        ("python", "get('", "\n", "PORT", 0, True),
        ("python", "get(", "\n", "x)", 0, True),
        ("python", "get(", ")\n", "x)", 0, False),
        ("python", "get(", ")\n", "')'", 0, True),
        ("python", "x = 1  # ", "\n", "so (", 0, True),
        ("c", "void f() {\n  ", "\n}\n", "if (a) {\n    b();\n  }", 0, True),
        ("c", "void f() {\n  ", "\n}\n", "if (a) {\n    b();", 0, False),
        ("c", "void f() {\n  ", "\n}\n", "a();\n}", 0, False),
        ("c", "void f() {\n  ", "\n", "a();\n}", 0, True),
        ("python", "", "\n\nx = 1\n", '"""', 0, False),
        ("python", "", '\n\nx = """a"""\n', '"""', 0, False),
        ("html", "<div>", "</div>", "a</div>", 0, False),
        ("html", "<div>", "</div>", "a</div>", 6, True),
    ],
)
def test_a_text_is_kept_where_nothing_is_worse_off(language, prefix, suffix, text, replaces, kept):
    assert Balance(syntax_of(language), prefix, suffix).is_kept(text, replaces) is kept


def test_what_a_text_opens_itself_is_told_from_what_was_open():
    balance = Balance(syntax_of("javascript"), "on('", "');\n")
    assert balance.opened == ("(", "'")
    assert balance.own("click', () => {") == ("{",)


def test_a_long_text_is_read_in_pieces_as_it_is_read_whole():
    syntax = syntax_of("python")
    text = "".join(
        f"def f{number}(a):\n    '''It's ({number}'''\n    return [a, {{'b': a}}]\n" for number in range(900)
    )
    assert len(text) > 3 * scanning.CHUNK_CHARACTERS
    for end in (len(text), len(text) - 3, len(text) - 30, len(text) // 2 + 7):
        assert scanning.open_behind(text[:end], syntax) == scanning.scan(text[:end], syntax).stack


def test_of_a_text_that_is_too_long_the_end_is_read():
    text = "'" * 3 + "x\n" * scanning.LONGEST_READ + "f("
    assert scanning.open_behind(text, syntax_of("python")) == ("(",)
