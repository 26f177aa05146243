"""Whether a text adds a syntax error, by the real grammars."""

import pytest

from greencode_lsp.completion.syntax import grammar_at
from greencode_lsp.completion.syntax.grammar import GRAMMARS, LONGEST_PARSED, common, difference, parser_of

DOCUMENTS = {
    "c": ("int f(void) {\n    ", "\n}\n", "return 1;", "int x[ = 2;"),
    "cpp": ("int f() {\n    ", "\n}\n", "auto x = g<int>();", "if (a)"),
    "css": ("a {\n  ", "\n}\n", "color: red;", "color red: {"),
    "go": ("package a\n\nfunc f() {\n\t", "\n}\n", "return", "if {"),
    "html": ("<p>\n", "\n</p>\n", "<b>a</b>", '<b class="a'),
    "java": ("class A {\n  void f() {\n    ", "\n  }\n}\n", "int x = 1;", "int x"),
    "javascript": ("f(() => {\n  ", "\n});\n", "return 1", "return ("),
    "javascriptreact": ("f();\n", "\ng();\n", "const a = <b>it's</b>;", "const a = <b>;"),
    "json": ('{\n  "a": [', "]\n}\n", "1, 2", "1,"),
    "python": ("def f(a):\n    ", "\n", "return a", "if a"),
    "rust": ("fn f() {\n    ", "\n}\n", "g(&x);", ".map(str => x)"),
    "typescript": ("interface A {\n  ", "\n}\n", "b: string;", "b: =;"),
    "typescriptreact": ("f();\n", "\ng();\n", "const a = <A<string> b={1}/>;", "const a = <A b={1}>;"),
    "yaml": ("a:\n  - ", "\n", "b: [1, 2]", "b: [1, 2"),
}


def test_every_language_with_a_grammar_is_tried_here():
    assert set(DOCUMENTS) == set(GRAMMARS)
    assert all(parser_of(language) is not None for language in GRAMMARS)


@pytest.mark.parametrize("language", DOCUMENTS)
def test_a_text_that_is_right_is_kept_and_a_wrong_one_is_not(language):
    prefix, suffix, right, wrong = DOCUMENTS[language]
    grammar = grammar_at(language, "a", prefix, suffix)
    assert grammar is not None
    assert [grammar.is_kept(text) for text in (right, wrong, right, wrong)] == [True, False, True, False]


def test_what_is_replaced_counts_as_gone():
    grammar = grammar_at("python", "a", "f('", "')\n")
    assert grammar is not None
    assert grammar.is_kept("a', 1)", "')")
    assert not grammar.is_kept("a', 1)")


def test_an_error_that_was_there_before_may_stay():
    grammar = grammar_at("java", "a", "class A {\n  int x = f(", "\n}\n")
    assert grammar is not None
    assert grammar.is_kept("1")


def test_one_document_after_another_is_parsed_as_if_it_were_the_first():
    texts = ["é = '(' # ü\n" * 50, "é = '(' # ü\n" * 49 + "x = (", "", "def f():\n\treturn 1\n", "é = (\n"]
    errors = [False, True, False, False, True]
    for text, wrong in zip(texts, errors, strict=True):
        grammar = grammar_at("python", "same.py", "", "")
        assert grammar is not None
        assert grammar.is_kept(text) is not wrong


def test_nothing_is_said_of_other_languages_and_long_documents():
    assert grammar_at("cobol", "a", "x", "") is None
    assert grammar_at("python", "a", "x" * LONGEST_PARSED, "y") is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"", b"", (0, 0)),
        (b"abc", b"abc", (3, 0)),
        (b"abxd", b"abyyd", (2, 1)),
        (b"aa", b"aaa", (2, 0)),
        (b"b", b"ab", (0, 1)),
    ],
)
def test_the_difference_of_two_texts_is_what_they_do_not_share(old, new, expected):
    assert difference(old, new) == expected


def test_the_longest_agreeing_length_is_found():
    assert [common(lambda length, most=most: length <= most, 9) for most in (0, 4, 9)] == [0, 4, 9]
