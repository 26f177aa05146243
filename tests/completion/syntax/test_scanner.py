"""What is open behind a text, by language."""

from pathlib import Path

import pytest

from greencode_lsp.completion.syntax import language_of, scan, syntax_of

ROOT = Path(__file__).parents[3]

OPEN = [
    ("python", "f(a, [1, {2: 3}", ("(", "[")),
    ("python", "# a ( and a '\nx = '#('", ()),
    ("python", "x = 'it\\'s ", ("'",)),
    ("python", 'def f():\n    """It\'s (here', ('"""',)),
    ("python", 'x = f"{a[0]} {b(', ('f"', "{…", "(")),
    ("python", 'x = f"{{ {a} }} (', ('f"',)),
    ("python", "x = rb'\\' # (", ("'",)),
    ("python", "# a comment (", ("//…",)),
    ("c", "int f() { /* ' ( */ g('\\'', \"(\"", ("{", "(")),
    ("c", 'char *a = "b // c"; /* d', ("/*",)),
    ("java", 'String s = """\n  "quoted" (\n', ('"""',)),
    ("javascript", "x = `a ${b(`c ${d", ("`", "{…", "(", "`", "{…")),
    ("javascript", "x = a / b; y = s.split(/[/(']/); z(", ("(",)),
    ("javascript", "x = a / (b / c", ("(",)),
    ("typescript", "const f = (a: Array<string>): b => { return a < b && c > d ? '(' : [", ("{", "[")),
    ("javascriptreact", "return <ul>{items.map(i => <li key={i}>don't", ("<ul>", "{", "(", "<li>")),
    ("javascriptreact", "return <><br/><A b='", ("<>", "<A", "='")),
    ("typescriptreact", "const f = <T extends B>(x: T) => {", ("{",)),
    ("go", "x := `a \" ( \\`; f('\"', b", ("(",)),
    ("rust", "fn f<'a>(x: &'a str) { let c = '\"'; let s = r#\"a \" (", ("{", 'r#"')),
    (
        "html",
        "<!DOCTYPE html><body><br><p>it's ( <img src=\"a>b\"><script>f('</p>",
        ("<body>", "<p>", "<script>", "(", "'"),
    ),
    ("html", "<ul><li>a<li>b</ul>", ()),
    ("xml", "<?xml version='1.0'?><a><param>", ("<a>", "<param>")),
    ("yaml", "a: don't\nb: 'x", ("'",)),
    ("yaml", "a: b#c [\n", ("[",)),
    ("json", '{"a": [1, "]', ("{", "[", '"')),
    ("shellscript", "echo ${#a} # it's (\nx='a\n", ("'",)),
    ("lua", "x = [[ ' ( ]] .. f('", ("(", "'")),
    ("sql", "SELECT 'it''s' -- (\nFROM (", ("(",)),
    ("markdown", "It's ( fine", ("(",)),
]


@pytest.mark.parametrize(("language", "text", "expected"), OPEN)
def test_what_is_open_is_told_apart_from_strings_and_comments(language, text, expected):
    result = scan(text, syntax_of(language))
    assert result.stack == expected
    assert result.problems == ()


@pytest.mark.parametrize(("language", "text", "expected"), OPEN)
def test_reading_can_go_on_from_any_line(language, text, expected):
    syntax = syntax_of(language)
    stack: tuple[str, ...] = ()
    for line in text.splitlines(keepends=True):
        stack = scan(line, syntax, stack).stack
    assert stack == expected


@pytest.mark.parametrize(
    ("language", "text", "problems", "stack"),
    [
        ("python", "f(a))", (")",), ()),
        ("python", "f([a)", ("[",), ()),
        ("python", "x = 'a\ny = (", ("'",), ("(",)),
        ("python", 'x = f"{a["b"]}"', ("{…", "["), ()),
        ("javascript", "x = {a: [b}", ("[",), ()),
        ("html", "<a><b></a>", ("<b>",), ()),
        ("html", "<a></b>", ("</b>",), ("<a>",)),
        ("html", "<a <b>", ("<a",), ("<b>",)),
        ("html", "<p>a<h2>b</h2>c</p>", ("</p>",), ()),
        ("html", "<ul><li>a<li>b</ul>", (), ()),
        ("html", "<ul><li>a<li>b</li></li></ul>", ("</li>",), ()),
        ("html", "<ul><li>a<ul><li>b</li></ul></li></ul>", (), ()),
    ],
)
def test_what_nothing_closes_or_opened_is_named(language, text, problems, stack):
    result = scan(text, syntax_of(language))
    assert (result.problems[: len(problems)], result.stack) == (problems, stack)


@pytest.mark.parametrize("pattern", ["greencode_lsp/**/*.py", "vscode-client/src/*.ts", "tests/**/*.py", "*.toml"])
def test_nothing_is_open_behind_whole_files_of_this_project(pattern):
    files = [file for file in ROOT.glob(pattern) if "node_modules" not in file.parts]
    assert files
    for file in files:
        result = scan(file.read_text(encoding="utf-8"), syntax_of(language_of(file.name)))
        assert (result.stack, result.problems) == ((), ()), file


@pytest.mark.parametrize(
    ("language", "path", "name"),
    [
        ("python", "", "python"),
        ("plaintext", "/a/b.rs", "rust"),
        ("", "C:\\src\\Main.java", "java"),
        ("typescriptreact", "a.py", "jsx"),
        ("klingon", "a.b", "unknown"),
        ("plaintext", "notes", "prose"),
    ],
)
def test_a_language_is_known_by_its_id_or_its_file(language, path, name):
    assert syntax_of(language, path).name == name
