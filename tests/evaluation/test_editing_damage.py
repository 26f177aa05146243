"""What counts as damage: edits whose harm anybody can see, in every language."""

import pytest

from greencode_lsp.evaluation.editing.damage import Edit, judge
from greencode_lsp.evaluation.editing.marks import read_syntax

GRAMMARS = {
    "py": "python",
    "java": "java",
    "js": "javascript",
    "ts": "typescript",
    "tsx": "tsx",
    "go": "go",
    "c": "c",
    "rs": "rust",
    "html": "html",
    "json": "json",
    "yaml": "yaml",
}


def edit(document: str, text: str, replaces: int = 0) -> Edit:
    """Return the edit that a suggestion makes where the block character stands."""
    cursor = document.index("█")
    return Edit(document.replace("█", ""), cursor, cursor + replaces, text)


def kinds(language: str, document: str, text: str, replaces: int = 0) -> set[str]:
    return set(judge(edit(document, text, replaces), GRAMMARS[language]).kinds)


HARMLESS = [
    ("py", "import os\nport = os.environ.get('█')\n", "PORT', 8080)", 2),
    ("py", "def f(a):\n    █\n\nf(1)\n", "if a:\n        return [a]\n    return {'(': a}", 0),
    ("py", "x = 1\n█", "# it's ((( [\n", 0),
    ("java", "class A {\n    void f() {\n        █\n    }\n}\n", "System.out.println(\"a {\" + '(');", 0),
    ("js", "foo(█)\n", "a, `x${b}`", 0),
    ("js", "const a = █;\n", "/['\"(]/.test(b)", 0),
    ("js", "console.log(█);\n", "a);", 2),
    ("ts", "function f(a: string): string {\n  █\n}\n", "if (a) {\n    return a\n  }\n  return ''", 0),
    ("tsx", "const a = <div>█</div>;\n", "don't <b>x</b><br/>", 0),
    ("go", "package a\n\nfunc f() {\n\t█\n}\n", 'for i := 0; i < 3; i++ {\n\t\tprint("{", \'(\', `"`)\n\t}', 0),
    ("c", "int f(void)\n{\n    █\n}\n", "if (1) {\n        return '(';\n    }\n    return 0;", 0),
    ("rs", "fn f<'a>(x: &'a str) {\n    █\n}\n", 'println!("{}", x);', 0),
    ("html", "<ul>\n  █\n</ul>\n", "<li>it's\n  <li>b<br>", 0),
    ("html", '<div class="█">a</div>\n', "container", 0),
    ("html", "<p>a</p>\n<script>\n  █\n</script>\n", "var a = (1);", 0),
    ("json", '{\n  "a": [█]\n}\n', '1, {"b": "["}', 0),
    ("yaml", "a:\n  - b: '█'\n", "it''s", 0),
]


@pytest.mark.parametrize(("language", "document", "text", "replaces"), HARMLESS)
def test_what_fits_is_no_damage(language, document, text, replaces):
    assert judge(edit(document, text, replaces), GRAMMARS[language]).details == ()


UNBALANCED = [
    ("py", "import os\nport = os.environ.get('█')\n", "PORT', 8080)"),
    ("py", "move(█, y=2, speed=3)\n", "x, y, speed)"),
    ("py", "a = █\n", "(1, [2)"),
    ("java", 'class A {\n    void f() {\n        g("█");\n    }\n}\n', 'a");'),
    ("java", "class A {\n    void f() {\n        █\n    }\n}\n", "if (true) {"),
    ("js", "console.log(█)\n", "total))"),
    ("js", "foo('█')\n", "a')"),
    ("js", "const a = █;\n", "`x${b"),
    ("ts", "function f() {\n  █\n}\n", "if (1) {\n    g()\n  }\n}"),
    ("tsx", "const a = <div>█</div>;\n", "<b>x"),
    ("tsx", "const a = <div>█</div>;\n", "x</p>"),
    ("go", "package a\n\nfunc f() {\n\t█\n}\n", "for i := 0; i < 3; i++ {\n\t\tprint(i)"),
    ("go", 'package a\n\nfunc f() {\n\tprint("█")\n}\n', 'a")'),
    ("c", "int f(void)\n{\n    █\n}\n", "return g(1;"),
    ("c", "char c = █;\n", "'a"),
    ("rs", 'fn f() {\n    println!("█");\n}\n', '{}", x);'),
    ("html", "<div>\n  █\n</div>\n", "<section>"),
    ("html", "<div>\n  █\n</div>\n", "</section>"),
    ("html", '<div class="█">a</div>\n', 'a">'),
    ("html", "<p>a</p>\n<script>\n  █\n</script>\n", "var a = (1;"),
    ("html", "<style>\n  █\n</style>\n", "p { color: red;"),
    ("json", '{\n  "a": "█"\n}\n', 'b",'),
    ("json", '{\n  "a": [█]\n}\n', "1, 2]"),
    ("yaml", "a: '█'\n", "b'"),
    ("yaml", "a: [█]\nb: 1\n", "1, 2]"),
]


@pytest.mark.parametrize(("language", "document", "text"), UNBALANCED)
def test_a_bracket_quote_or_tag_without_a_partner_is_told(language, document, text):
    assert "unbalanced" in kinds(language, document, text)


def test_closing_what_was_open_before_is_no_damage():
    assert kinds("js", "foo(bar(█\n", "1))") == set()
    assert kinds("html", "<div>█\n", "</div>") == set()


def test_what_was_broken_before_is_not_counted_again():
    assert kinds("py", "x = (\ny = █\n", "1") == set()
    assert kinds("py", "x = (\ny = █\n", "[1") & {"unbalanced"} == {"unbalanced"}


SYNTAX = [
    ("py", "def f():\n    █\n    return 1\n", "if x"),
    ("java", "class A {\n    void f() {\n        █\n    }\n}\n", "int a ="),
    ("js", "function f() {\n  █\n}\n", "return typeof"),
    ("ts", "function f() {\n  █\n}\n", "const a: ="),
    ("tsx", "const a = <div █>x</div>;\n", "class=="),
    ("go", "package a\n\n█", "func"),
    ("c", "int f(void)\n{\n    █\n}\n", "return 1"),
    ("rs", "impl A {\n    █\n}\n", "pub fn default"),
    ("html", "<div █>a</div>\n", '"a" ='),
    ("json", '{\n  "a": 1\n  █\n}\n', '"b": 2'),
    ("yaml", "a: 1\n█", "b: c: d: [1\n"),
]


@pytest.mark.parametrize(("language", "document", "text"), SYNTAX)
def test_a_new_syntax_error_is_told(language, document, text):
    assert "syntax" in kinds(language, document, text)


def test_an_error_that_a_suggestion_mends_or_leaves_is_not_new():
    assert kinds("py", "x = █\n", "1") == set()
    assert kinds("py", "x = = 2\ny = █\n", "1") == set()


REPEATED = [
    ("py", "value = compute()\n█\n", "value = compute()"),
    ("py", "█\nvalue = compute()\n", "value = compute()"),
    ("py", "def f():\n    value = compute()\n    █\n", "value = compute()"),
    ("py", "a = 1\n█\n\nvalue = compute()\n", "b = 2\nvalue = compute()"),
    ("js", "█\n", "import total\nimport total"),
    ("yaml", "steps:\n  - uses: actions/checkout\n  █\n", "- uses: actions/checkout"),
    ("py", "return total(█)\nreturn total(x)\n", "x"),
]


@pytest.mark.parametrize(("language", "document", "text"), REPEATED)
def test_a_line_that_stands_directly_beside_is_repeated(language, document, text):
    assert "repeated" in kinds(language, document, text)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("value = compute()\nother = 2\n█\n", "value = compute()"),
        ("for a in b:\n    break\n█\n", "break"),
        ("█\nvalue = compute(1)\n", "value = compute(2)"),
    ],
)
def test_a_line_further_away_a_short_one_or_another_one_is_not_repeated(document, text):
    assert "repeated" not in kinds("py", document, text)


def test_closing_tags_may_stand_one_below_the_other():
    assert kinds("html", "<section>\n<section>\n█\n</section>\n", "</section>") == set()


@pytest.mark.parametrize(
    ("document", "text", "mixed"),
    [
        ("def f():\n\tif a:\n\t\t█\n", "b = 1\n        c = 2", True),
        ("def f():\n\tif a:\n\t\t█\n", "b = 1\n\t\tc = 2", False),
        ("def f():\n    if a:\n        █\n", "b = 1\n\tc = 2", True),
        ("def f():\n    if a:\n        █\n", "b = 1\n        c = 2", False),
        ("def f():\n    a(█)\n", "1,  # \t", False),
        ("f(█)\n", "1,\n\t2", False),
    ],
)
def test_a_new_line_indented_unlike_the_file_is_told(document, text, mixed):
    assert ("indentation" in kinds("py", document, text)) is mixed


def test_the_blank_before_a_comments_asterisk_is_no_indentation_by_spaces():
    assert kinds("go", "package a\n\nfunc f() {\n\tg()\n█}\n", "\t/*\n\t * a\n\t */\n") == set()


@pytest.mark.parametrize(
    ("text", "replaces", "doubled"),
    [("  b = 1", 0, True), ("b = 1", 0, False), ("\n  b = 1", 0, False), ("  ", 0, False)],
)
def test_indentation_on_top_of_the_cursors_own_is_doubled(text, replaces, doubled):
    assert ("doubled" in kinds("py", "if a:\n  █\n", text, replaces)) is doubled


def test_indentation_that_takes_the_place_of_the_cursors_own_is_not_doubled():
    before = "if a:\n  \n"
    assert judge(Edit(before, 6, 8, "  b = 1"), "python").kinds == ()
    assert judge(Edit(before, 6, 8, "    b = 1"), "python").kinds == ("doubled",)


@pytest.mark.parametrize(
    ("document", "text", "mixed"),
    [
        ("a = 1\r\n█", "b = 1\nc = 2", True),
        ("a = 1\r\n█", "b = 1\r\nc = 2", False),
        ("a = 1\n█", "b = 1\r\nc = 2", True),
        ("a = 1\n█", "b = 1\nc = 2", False),
        ("█", "b = 1\nc = 2", False),
        ("█", "b = 1\nc = 2\r\n", True),
        ("a = 1\r\n█", "b = 1\r\r\n", True),
    ],
)
def test_a_line_end_unlike_the_documents_is_told(document, text, mixed):
    assert ("line_ends" in kinds("py", document, text)) is mixed


@pytest.mark.parametrize(
    ("language", "document", "text"),
    [
        ("py", "a = 1\n█", "```"),
        ("js", "a()\n█", "\n```js\nb()\n```"),
        ("html", "<p>a</p>\n█", "```"),
        ("py", "a = 1\n█", "This function returns the sum of two numbers."),
        ("c", "int a;\n█", "In this example, we use the library."),
        ("go", "package a\n█", "\nThe value is printed to the screen."),
    ],
)
def test_a_fence_or_a_sentence_outside_of_comments_is_told(language, document, text):
    assert "fence" in kinds(language, document, text)


@pytest.mark.parametrize(
    ("language", "document", "text"),
    [
        ("py", "a = 1\n█", "# This function returns the sum of two numbers."),
        ("py", '"""█"""\n', "Return the sum of two numbers."),
        ("js", "/*\n * █\n */\n", "The value is printed to the screen."),
        ("html", "<p>█</p>\n", "The value is printed to the screen."),
        ("yaml", "a: |\n  █\n", "The value is printed to the screen."),
        ("java", "class A {\n    █\n}\n", "Map<String, List<Integer>> values;"),
    ],
)
def test_sentences_where_they_belong_are_no_prose(language, document, text):
    assert "fence" not in kinds(language, document, text)


def test_nothing_but_blanks_is_empty():
    assert kinds("py", "a = 1\n█", "  \n") == {"empty"}


def test_offsets_hold_behind_characters_of_several_bytes():
    reading = read_syntax("é = '😀'\nf('ä', [1])\n", "python")
    assert [reading.text[mark.start : mark.end] for mark in reading.marks] == ["'", "'", "(", "'", "'", "[", "]", ")"]
    assert reading.unmatched == ()
    assert judge(edit("é = '😀'\nf(█)\n", "ä)"), "python").details[0] == "unbalanced: 0 before, 1 after: )"


def test_what_yaml_leaves_unread_behind_an_error_is_still_balanced():
    document = "on: [push]\nrun: |\n  case $x in\n    a) echo \"it's\" ;;\n  esac\nif: █\nname: don't\nlist: {a: 'b'}\n"
    assert kinds("yaml", document, "a: b: c") == {"syntax"}
    assert kinds("yaml", document, "[a]]") == {"unbalanced", "syntax"}
