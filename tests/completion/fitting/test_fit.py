"""A suggestion fits what stands before and behind the cursor."""

import random
from pathlib import Path

import pytest

from greencode_lsp.completion.fitting import Cursor, Fitted, fit
from greencode_lsp.completion.syntax import Balance, language_of

ROOT = Path(__file__).parents[3]


def after(text: str, prefix: str, suffix: str, language: str = "python", **ended: bool) -> str | None:
    """Return what stands around the cursor once a suggestion has been taken, None where nothing is shown."""
    fitted = fit(text, Cursor(prefix, suffix, language), **ended)
    return prefix + fitted.text + suffix[fitted.replaces :] if fitted.text else None


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
    ("language", "text", "prefix", "suffix", "expected"),
    [
        ("python", "PORT', 8080)", "get('", "')", "get('PORT', 8080)"),
        ("python", "PORT', 8080", "get('", "')", "get('PORT', 8080)"),
        ("python", "PORT", "get('", "')", "get('PORT')"),
        ("python", "it\\'s')", "say('", "')", "say('it\\'s')"),
        ("python", "{name}!", 'f"', '"', 'f"{name}!"'),
        ("python", "{name", 'f"', '"', 'f"{name}"'),
        ("c", '%d\\n", x);', 'printf("', '");', 'printf("%d\\n", x);'),
        ("javascript", "click', () => {", "on('", "');", "on('click', () => {});"),
        ("json", '1.0",', '  "version": "', '"\n}', '  "version": "1.0"\n}'),
        ("json", '1.0",', '  "version": "', '",\n', '  "version": "1.0",\n'),
        ("html", 'main" id="a">', '<div class="', '">', '<div class="main" id="a">'),
        ("rust", '{}", x);', 'println!("', '");', 'println!("{}", x);'),
    ],
)
def test_what_an_editor_closed_by_itself_is_written_over(language, text, prefix, suffix, expected):
    assert after(text, prefix, suffix, language) == expected


@pytest.mark.parametrize(
    ("language", "text", "prefix", "suffix", "expected"),
    [
        ("python", "x, y, speed)", "move(", ", y=2, speed=3)", "move(x, y=2, speed=3)"),
        ("javascript", "b):", "function add(a, ", ", c) {", "function add(a, b, c) {"),
        ("javascript", "g(", "console.lo", "(total);", "console.log(total);"),
        ("python", "th.join(", "os.pa", ".join('a')", "os.path.join('a')"),
        ("python", "'(', b)", "f(", ", c)", "f('(', c)"),
        ("python", "a  # (\n", "x = ", " + b", "x = a + b"),
        ("python", "item", "for ", " in items:", "for item in items:"),
        ("python", "value", "return ", "other", None),
        ("python", "self.", "return ", "items", "return self.items"),
        ("python", "lf.items", "return se", " or []", "return self.items or []"),
        ("html", "Hello</p>", "<div>", "</div>", "<div>Hello</div>"),
        (
            "javascriptreact",
            "<li>{i}</li>",
            "return <ul>{x.map(i => ",
            ")}</ul>;",
            "return <ul>{x.map(i => <li>{i}</li>)}</ul>;",
        ),
    ],
)
def test_a_suggestion_ends_where_the_text_behind_the_cursor_goes_on(language, text, prefix, suffix, expected):
    assert after(text, prefix, suffix, language) == expected


@pytest.mark.parametrize(
    ("text", "prefix", "suffix", "expected"),
    [
        ("in('a', 'b')", "os.path.jo", "in('x')", None),
        ("nt(x)", "pri", "nt", "print(x)"),
        ("nt(x)", "pri", "nt()", "print(x)"),
        ("vate", "pri", "nt(x)", None),
        ("nt", "pri", "nt(x)", None),
    ],
)
def test_inside_a_word_its_rest_is_not_written_twice(text, prefix, suffix, expected):
    assert after(text, prefix, suffix) == expected


@pytest.mark.parametrize(
    ("text", "prefix", "suffix", "expected"),
    [
        ("return x", "def f(x):\n    ", "\n    return x\n", ""),
        ("y = 1\n    return y", "def f():\n    ", "\n    return y\n", "y = 1"),
        ("rn x", "    retu", "\n    return x\n", ""),
        ("a()\nb()\nc()", "", "\nb()\nc()\nd()", "a()"),
        ("a()\nb()\nx()", "", "\nb()\nc()", "a()\nb()\nx()"),
        ("a()\nset_up(b)\nx()", "", "\nset_up(b)\nc()", "a()"),
        ("5", "x = ", "\n5\n", "5"),
        ("if y:\n        return y", "def f():\n    ", "\n    return y\n", "if y:\n        return y"),
    ],
)
def test_the_next_lines_are_not_written_twice(text, prefix, suffix, expected):
    assert fit(text, Cursor(prefix, suffix, "python")).text == expected


@pytest.mark.parametrize(
    ("text", "prefix", "suffix", "expected"),
    [
        ("a();\n}", "void f() {\n    ", "\n}\n", "a();"),
        ("\n    a();\n}", "void f() {", "\n}\n", "\n    a();"),
        ("if (x) {\n    a();\n  }", "void f() {\n  ", "\n}\n", "if (x) {\n    a();\n  }"),
        ("if (x) {\n    a();", "void f() {\n  ", "\n}\n", "if (x) {\n    a();\n  }"),
        ("if (x) {\n    a();\n  }\n}", "void f() {\n  ", "\n", "if (x) {\n    a();\n  }\n}"),
        ("on(() => {\n    g(a);", "f = () => {\n  ", "\n}\n", "on(() => {\n    g(a);\n  })"),
    ],
)
def test_a_block_ends_with_its_own_brace_and_no_other(text, prefix, suffix, expected):
    assert fit(text, Cursor(prefix, suffix, "javascript")).text == expected


@pytest.mark.parametrize(
    ("language", "text", "prefix", "suffix", "expected"),
    [
        ("typescript", "  return a;\n", "function f() {\n  ", "\n}\n", "return a;"),
        ("python", "\treturn a", "def f():\n\t", "", "return a"),
        ("python", "    c = load()", "# Load\n", "", "c = load()"),
        ("python", "    return 1", "def f():\n", "", "    return 1"),
        ("python", "    x = 1\n        y = 2", "def f():\n    ", "", "x = 1\n    y = 2"),
        ("python", "    y = 2", "def f():\n    x = 1\n", "", "    y = 2"),
        ("python", "if a:\n        b()", "def f():\n\tx = 1\n\t", "", "if a:\n\t\tb()"),
        ("python", "\n        return self.x", "class A:\n\tdef get(self):", "\n", "\n\t\treturn self.x"),
        ("go", "\n\treturn x", "func f() {\n    a()\n}\n\nfunc g() int {", "\n}\n", "\n    return x"),
        ("javascript", "a = {\n    b: 1,\n  }", "function f() {\n  ", "\n}\n", "a = {\n    b: 1,\n  }"),
    ],
)
def test_lines_are_indented_as_the_document_is_and_the_first_at_the_cursor(language, text, prefix, suffix, expected):
    assert fit(text, Cursor(prefix, suffix, language)).text == expected


@pytest.mark.parametrize(
    ("language", "text", "prefix", "expected"),
    [
        ("python", "```", "main()\n", ""),
        ("python", "x = 1\n```\nThis code", "main()\n", "x = 1"),
        ("python", "The function above prints the sum.", "main()\n\n", ""),
        ("javascript", "This code exports a function\n", "module.exports = add;\n\n", ""),
        ("java", "Explanation:\n", "}\n", ""),
        ("java", "Output output = new Output();", "  ", "Output output = new Output();"),
        ("python", "The sum", '"""', "The sum"),
        ("python", "The sum", "x = 1  # ", "The sum"),
        ("markdown", "```python", "Run this:\n\n", "```python"),
        ("go", "Note = 1", "const (\n\t", "Note = 1"),
    ],
)
def test_what_a_chat_says_about_code_is_not_shown_as_code(language, text, prefix, expected):
    assert fit(text, Cursor(prefix, "", language)).text == expected


@pytest.mark.parametrize(
    ("text", "prefix", "expected"),
    [
        ("# Read the configuration.", "# Read the configuration.\n", ""),
        ("x = 1\n# Read the file.", "# Read the file.\ny = 2\n", "x = 1"),
        ("items.append(x)", "    items.append(x)\n    ", ""),
        ("a = 1\nb = 2\nb = 2", "", "a = 1\nb = 2"),
        ("}", "}\n", ""),
        ("A", "f(g('A'))\nf(g('", ""),
    ],
)
def test_a_line_above_is_not_said_again(text, prefix, expected):
    suffix = "'))\n" if prefix.endswith("'") else ""
    assert fit(text, Cursor(prefix, suffix, "python")).text == expected


@pytest.mark.parametrize(
    ("text", "prefix", "suffix", "expected"),
    [
        ("b=2,\n    c=3,\n    dd", "f(\n    ", "\n)\n", "b=2,\n    c=3,"),
        ("foo(a, b, name_", "x = ", "\n", "foo(a, b)"),
        ("self.items.append(valu", "", "\n", "self.items.append"),
        ("foo(a) + ba", "x = ", "\n", "foo(a)"),
        ("'a str", "x = ", "\n", ""),
    ],
)
def test_at_the_limit_of_tokens_a_text_ends_behind_something_whole(text, prefix, suffix, expected):
    assert fit(text, Cursor(prefix, suffix, "python"), unfinished=True, at_limit=True).text == expected


@pytest.mark.parametrize(
    ("language", "text", "prefix", "suffix", "expected"),
    [
        ("python", "name", "foo('", "', x)\n", "name"),
        ("html", "main", '<a class="', '" id="x">a</a>\n', "main"),
        ("markdown", "brown", "The quick ", " fox.\n", "brown"),
        ("json", '{\n"x": 2\n}', "[\n{},\n", '\n{"y": 1}\n]\n', '{\n"x": 2\n},'),
        ("python", "@property\ndef b(self):\n    return 1", "class A:\n    ", "\n    @property\n", "@property"),
        ("java", "First,\nSecond", "enum A {\n", "\n}\n", "First,\nSecond"),
        ("go", "A, B int", "type T struct {\n\t", "\n}\n", "A, B int"),
        (
            "python",
            "x = g()\n    if x:\n        return None\n    return x",
            "def f():\n    if a:\n        return None\n    ",
            "\n",
            "x = g()\n    if x:\n        return None\n    return x",
        ),
        (
            "python",
            "    for x in a:\n        print(x)\n    return 1",
            "def f(a):\n    ",
            "\n",
            "for x in a:\n        print(x)\n    return 1",
        ),
        ("shellscript", 'foo "a"\ndone', "for f in *; do\n  ", "\ndone\n", 'foo "a"'),
        ("shellscript", "git add .", "", "\n", "git add ."),
    ],
)
def test_what_is_right_stays_whole(language, text, prefix, suffix, expected):
    fitted = fit(text, Cursor(prefix, suffix, language))
    assert fitted.text.startswith(expected)


@pytest.mark.parametrize(
    ("language", "text", "prefix", "suffix", "expected"),
    [
        ("java", "static final", "class A {\n  private ", " String x;\n}\n", "static final"),
        ("python", "value", "return ", " other\n", ""),
        (
            "typescript",
            "Map<string, Array<number>> = new Map();",
            "let m: ",
            " = new Map();",
            "Map<string, Array<number>>",
        ),
        ("java", "List<Integer>> m = x();", "Map<String, ", "> m = x();", "List<Integer>"),
        ("sql", "WHERE age > 3", "SELECT * FROM users ", "ORDER BY id;", "WHERE age > 3 "),
        ("sql", "id, name FROM users;", "SELECT ", " FROM users;", "id, name"),
        ("jsonl", '{"a": 2}', '{"a": 1}\n', "\n", '{"a": 2}'),
        ("json", '{"a": 2}', '{"a": 1}\n', "\n", ""),
        ("cpp", 'R"(a ) " b)"', "auto s = ", ";\n", 'R"(a ) " b)"'),
        ("cpp", "1'000'000", "long n = ", ";\n", "1'000'000"),
        (
            "shellscript",
            "start) run ;;\n  stop) halt ;;",
            'case "$1" in\n  ',
            "\nesac\n",
            "start) run ;;\n  stop) halt ;;",
        ),
        ("shellscript", "it's a text (", "cat <<EOF\n", "\nEOF\n", "it's a text ("),
        ("ruby", 'name.upcase}"', 'puts "#{', '}"\n', 'name.upcase}"'),
    ],
)
def test_each_language_joins_by_its_own_rules(language, text, prefix, suffix, expected):
    assert fit(text, Cursor(prefix, suffix, language)).text == expected


@pytest.mark.parametrize(
    ("language", "text", "prefix", "at_limit", "expected"),
    [
        ("python", "continue", "for x in y:\n    ", True, "continue"),
        ("python", "return None", "def f():\n    ", True, "return None"),
        ("python", "retur", "def f():\n    ", True, ""),
        ("c", "int x = 1;\n  int y = 2;", "void f() {\n  ", True, "int x = 1;\n  int y = 2;"),
        ("c", "int x = 1;\n  int y = 2", "void f() {\n  ", True, "int x = 1;"),
        ("c", "for (int i = 0; i < n; i++)", "void f() {\n  ", False, ""),
        ("python", "it__", "def __in", False, "it__"),
        ("python", "_name_", "x = self.", False, "_name"),
        ("python", "_", "x = self.", False, ""),
        ("python", "_", "for ", False, "_"),
        ("kotlin", "if (x > 0) return x", "fun f() {\n    ", False, "if (x > 0) return x"),
        ("kotlin", "if (x > 0)", "fun f() {\n    ", False, ""),
        ("kotlin", "fun size(): Int = n", "class A {\n    ", False, "fun size(): Int = n"),
        ("kotlin", "fun size(): Int", "class A {\n    ", False, ""),
    ],
)
def test_where_a_model_was_stopped_a_text_ends_behind_a_whole_statement(language, text, prefix, at_limit, expected):
    suffix = "\n}\n" if "{" in prefix else "\n"
    assert fit(text, Cursor(prefix, suffix, language), unfinished=True, at_limit=at_limit).text == expected


def test_a_line_that_was_cut_to_what_stands_above_it_is_not_said_again():
    cursor = Cursor("on:\n  ", "\n", "yaml")
    assert fit("to: some-label\n  to: some-label@", cursor, unfinished=True).text == "to: some-label"


def test_whatever_a_model_says_leaves_brackets_and_quotes_as_they_were():
    """Real lines, cut anywhere, beside what an editor closes by itself, continued by pieces of other lines."""
    chance = random.Random(0)
    files = [ROOT / name for name in ("greencode_lsp/doctor.py", "vscode-client/src/meter.ts", "examples/Vector.java")]
    shown = 0
    for file in files:
        text, language = file.read_text(encoding="utf-8"), language_of(file.name)
        for _ in range(300):
            at = chance.randrange(len(text))
            end = text.find("\n", at)
            closed = chance.choice(["", ")", "')", '");', "}", "]", text[at:end]])
            prefix, suffix = text[:at], closed + text[end:]
            start = chance.randrange(len(text) - 80)
            said = text[start : start + chance.randrange(1, 80)]
            cursor = Cursor(prefix, suffix, language)
            fitted = fit(said, cursor, unfinished=chance.random() < 0.5, at_limit=chance.random() < 0.5)
            shown += bool(fitted.text)
            assert "\n" not in suffix[: fitted.replaces]
            if fitted.text:
                assert Balance(cursor.syntax, prefix, suffix).is_kept(fitted.text, fitted.replaces)
    assert shown > 200
