"""The lexical stream, beside Python's own tokenizer."""

import argparse
import io
import json
import subprocess
import sys
import textwrap
import tokenize
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from greencode_lsp.training.corpus.lexing import NUMBER, STRING, grams, is_word, lex, values_of

SKIPPED = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def reference(source: str) -> list[str]:
    tokens: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING:
            tokens.append(STRING)
        elif token.type == tokenize.NUMBER:
            tokens.append(NUMBER)
        elif token.type == tokenize.OP:
            tokens += token.string  # `lex` gives operators character by character
        elif token.type not in SKIPPED:
            tokens.append(token.string)
    return tokens


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="f-strings are several tokens there")
@pytest.mark.parametrize("module", [argparse, json.decoder, subprocess, textwrap], ids=lambda module: module.__name__)
def test_a_python_stream_is_that_of_the_standard_library(module: ModuleType) -> None:
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert lex(source, "python") == reference(source)


def test_a_java_stream_has_neither_comments_nor_literals() -> None:
    source = 'int a = 0x1F; // "no" /* no */\nString s = "a \\" // b" + \'\\\'\'; /* \' */ a /= 2.5f;'
    expected = ["int", "a", "=", NUMBER, ";", "String", "s", "=", STRING, "+", STRING, ";", "a", "/", "=", NUMBER, ";"]
    assert lex(source, "java") == expected


def test_a_template_string_of_javascript_is_one_string() -> None:
    assert lex("f(`a // ${b}\n'`)", "javascript") == ["f", "(", STRING, ")"]


def test_equal_runs_and_only_they_have_equal_hashes() -> None:
    tokens = lex("a b c d a b c e a b c d", "python")
    hashes = grams(values_of(tokens), 4)
    runs = [tuple(tokens[place : place + 4]) for place in range(len(tokens) - 3)]
    assert len(hashes) == len(runs)
    for first, run in enumerate(runs):
        assert [bool(value) for value in hashes == hashes[first]] == [run == other for other in runs]


def test_a_short_stream_has_no_runs() -> None:
    assert grams(values_of(["a", "b"]), 3).shape == (0,)
    assert grams(values_of([]), 1).dtype == np.uint64


def test_values_are_the_same_in_another_process() -> None:
    code = "from greencode_lsp.training.corpus.lexing import values_of; print(values_of(['self', '(']).tolist())"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == values_of(["self", "("]).tolist()


def test_literals_and_signs_are_no_words() -> None:
    assert [is_word(token) for token in ("name", "_x", "$y", "é", "+", STRING, NUMBER)] == [True] * 4 + [False] * 3
