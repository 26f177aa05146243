"""CodeXGLUE's tokens, source from them, and its evaluator."""

import re

import pytest

from greencode_lsp.evaluation.codexglue import evaluator
from greencode_lsp.evaluation.codexglue.java_source import java_source
from greencode_lsp.evaluation.codexglue.java_tokens import java_tokens
from greencode_lsp.evaluation.codexglue.lines import as_source, line_tokens
from greencode_lsp.evaluation.codexglue.literals import Literals, masked
from greencode_lsp.evaluation.codexglue.python_source import python_source
from greencode_lsp.evaluation.codexglue.python_tokens import python_tokens
from tests.evaluation.rows import JAVA_FILE, PYTHON_FILE

KEPT = Literals(frozenset({"utf-8", "aU+0020b"}), frozenset({"0", "1"}), frozenset({"x"}))
ALL = Literals(
    frozenset({"limit", "values", "negative"}), frozenset({"0"}), frozenset()
)  # every literal of our own files, so that nothing but layout is lost

PLAIN_PYTHON = re.sub(r' *""".*?"""\n', "", PYTHON_FILE).strip() + "\n"  # source made from tokens has no docstrings

PREDICTED_AND_TRUE = [
    ("os . path . join ( a , b )", "os . path . join ( a , b )"),
    ("os . path . join ( a )", "os . path . join ( a , b )"),
    ('open ( name , "<STR_LIT:utf-8>" )', 'open ( name , "<STR_LIT>" )'),
    ("x = <NUM_LIT>", "x = <NUM_LIT:0>"),
    ("x  =  <NUM_LIT:1> ", "x = <NUM_LIT:1>"),
    ("", "return None"),
    ("'<STR_LIT:aU+0020b>'", "'aU+0020b'"),
]


def reference_scores(predicted: str, true: str) -> tuple[bool, int]:
    """Score as the data set's evaluator.py does: restore by regex, then tokens, then 200 * matches / lengths."""

    def restore(code: str) -> str:
        code = code.replace("<NUM_LIT>", "0").replace("<STR_LIT>", "").replace("<CHAR_LIT>", "")
        for name in re.findall(r"<(?:STR|NUM|CHAR)_LIT:(.*?)>", code, re.S):
            for kind in ("STR", "NUM", "CHAR"):
                code = code.replace(f"<{kind}_LIT:{name}>", name)
        return code

    one, other = restore(predicted.strip()), restore(true.strip())
    longest = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]  # the longest common subsequence
    for i, left in enumerate(one, 1):
        for j, right in enumerate(other, 1):
            longest[i][j] = longest[i - 1][j - 1] + 1 if left == right else max(longest[i - 1][j], longest[i][j - 1])
    return one.split() == other.split(), round(200 * longest[-1][-1] / (len(one) + len(other)))


@pytest.mark.parametrize(("predicted", "true"), PREDICTED_AND_TRUE)
def test_exact_match_and_edit_similarity_are_those_of_the_data_sets_evaluator(predicted, true):
    assert (evaluator.exact_match(predicted, true), evaluator.edit_similarity(predicted, true)) == reference_scores(
        predicted, true
    )


def test_python_tokens_lose_layout_and_comments_and_mask_rare_literals():
    source = "def f(a, b=1):  # why\n\n    return g('utf-8', \"secret\", 17, 'a b')\n"
    assert " ".join(python_tokens(source, KEPT)) == (
        "def f ( a , b = <NUM_LIT:1> ) : <EOL> return g ( '<STR_LIT:utf-8>' , \"<STR_LIT>\" , <NUM_LIT> , "
        "'<STR_LIT:aU+0020b>' )"
    )


def test_java_tokens_lose_layout_and_comments_and_mask_rare_literals():
    source = "/* why */ char c = 'x', d = 'y'; // no\nfor (int i = 0; i >= 10; i++) say(\"utf-8\" + \"other\");"
    assert " ".join(java_tokens(source, KEPT)) == (
        "char c = '<CHAR_LIT:x>' , d = '<CHAR_LIT>' ; for ( int i = <NUM_LIT:0> ; i >= <NUM_LIT> ; i ++ ) "
        'say ( "<STR_LIT:utf-8>" + "<STR_LIT>" ) ;'
    )


def test_a_line_that_ends_inside_a_bracket_or_a_string_keeps_its_tokens():
    assert " ".join(line_tokens(" = call(first, [1,", "python", KEPT)) == "= call ( first , [ <NUM_LIT:1> ,"
    assert line_tokens("x = 'no end", "python", KEPT)[:2] == ["x", "="]


def test_source_made_from_tokens_has_the_same_tokens():
    for file, tokens, source in ((PLAIN_PYTHON, python_tokens, python_source), (JAVA_FILE, java_tokens, java_source)):
        once = tokens(file, ALL)
        assert tokens(source(once, {"STR": "", "NUM": "0", "CHAR": ""}), ALL) == once


def test_python_source_is_indented_as_the_lines_before_it_tell():
    source = """import os
class Names(object):
    def __init__(self, names):
        self.names = names

    def each(self):
        for name in self.names:
            if name.startswith("-"):
                continue
            yield os.path.join(
                self.root, name)
        return

def main():
    try:
        return Names([])
    except ValueError:
        raise
    else:
        pass
"""
    made = python_source([*python_tokens(source, KEPT), "<EOL>"], {"STR": "-"})
    assert visible_lines(made) == visible_lines(source)


def test_java_source_is_laid_out_as_people_write_it():
    assert visible_lines(java_source(java_tokens(JAVA_FILE, ALL))) == visible_lines(JAVA_FILE)


def visible_lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def test_a_row_becomes_prompt_and_target_that_fit_together():
    row = as_source("<s> def f ( self ) : <EOL> self . call ( a ,", "b = - <NUM_LIT:1> ) [ <NUM_LIT:0> ]", "python")
    assert row.prompt + row.target == "def f(self):\n    self.call(a, b=-1)[0]"
    assert (row.starts_line, row.is_masked) == (False, False)


def test_a_java_target_ends_where_the_data_set_cuts_its_tests():
    row = as_source("<s> class B { void run ( )", "throws Problem { start ( ) ;", "java")
    assert (row.target, row.gold) == (" throws Problem", "throws Problem")
    assert as_source("<s> class B { int a ;", "int b ; int c", "java").gold == "int b ;"
    assert as_source("<s> class B { int a ;", "int b ;", "java").starts_line


def test_a_masked_literal_in_the_target_is_seen():
    assert as_source("<s> x =", "'<STR_LIT>'", "python").is_masked
    assert not as_source("<s> x =", "'<STR_LIT:utf-8>'", "python").is_masked
    assert masked("f ( '<STR_LIT:utf-8>' , <NUM_LIT:0> )") == "f ( '<STR_LIT>' , <NUM_LIT> )"
