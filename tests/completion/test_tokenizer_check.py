"""Tokenizers of strangers: tried in a process of their own before they are used."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from greencode_lsp.completion.tokenizer import CodeTokenizer, TokenizerError

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
DEEPSEEK = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATHOLOGICAL = (
    r"(a+)+$",
    r"(x+x+)+y",
    r"([a-zA-Z]+)*\d",
    r"(.*,){11}P",
    r"(\s|\s+)*é",
    r"a*a*a*a*a*a*b",
    r"(ab|a|b)*c\1",
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GREENCODE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokenizers"


def write(folder: Path, pattern: str = GPT2, **changes: Any) -> Path:
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    described = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": split,
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []},
    }
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(described | changes), encoding="utf-8")
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(TokenizerError) as caught:
        CodeTokenizer.load(folder)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"{folder / 'tokenizer.json'} cannot be used: ")
    return said


@pytest.mark.parametrize("pattern", [GPT2, QWEN2, DEEPSEEK], ids=["gpt2", "qwen2", "deepseek"])
def test_the_expressions_of_known_models_pass(pattern: str, tmp_path: Path) -> None:
    assert CodeTokenizer.load(write(tmp_path / "model", pattern)).encode("ab") == [0, 1]


@pytest.mark.parametrize("pattern", PATHOLOGICAL)
def test_an_expression_that_backtracks_without_end_is_refused(pattern: str, tmp_path: Path, cache: Path) -> None:
    assert "retry-limit" in refusal(write(tmp_path / "model", pattern))
    assert not cache.exists()


def test_replacements_that_multiply_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 50}
    folder = write(tmp_path / "model", normalizer={"type": "Sequence", "normalizers": [grow] * 8})
    assert "took more than 10 s or 4 GB" in refusal(folder)


def test_a_text_that_becomes_many_tokens_is_refused(tmp_path: Path) -> None:
    grow = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 50}
    assert "100000 tokens of 2000 characters" in refusal(write(tmp_path / "model", normalizer=grow))


def test_padding_and_truncation_are_left_out(tmp_path: Path) -> None:
    padding = {
        "strategy": {"Fixed": 1 << 40},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "a",
    }
    truncation = {"max_length": 1, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    folder = write(tmp_path / "model", padding=padding, truncation=truncation)
    assert CodeTokenizer.load(folder).encode("abb") == [0, 1, 1]


def test_what_has_passed_is_remembered_by_its_hash(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "model")
    CodeTokenizer.load(folder)
    (passed,) = cache.iterdir()
    assert passed.name.startswith("passed-")
    monkeypatch.setattr(sys, "executable", os.devnull)  # nothing can be tried any more
    CodeTokenizer.load(folder)
    write(folder, QWEN2)
    assert "Permission denied" in refusal(folder)


def test_modules_in_the_working_folder_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "tokenizers", "hashlib"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    CodeTokenizer.load(write(tmp_path / "model"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"model": {}}', '{"a":' * 100_000, '"\\ud800"'])
def test_what_is_no_tokenizer_is_refused(content: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    (folder / "tokenizer.json").write_text(content, encoding="utf-8")
    refusal(folder)


def test_ids_beyond_the_tokenizers_stand_for_nothing(tmp_path: Path) -> None:
    tokenizer = CodeTokenizer.load(write(tmp_path / "model")).within(128)  # as if made even for some processor
    assert tokenizer.decode([0, 127, 1]) == "ab"


def test_a_token_that_the_model_lacks_is_an_error_in_one_line(tmp_path: Path) -> None:
    tokenizer = CodeTokenizer.load(write(tmp_path / "model")).within(1)
    assert tokenizer.encode("a") == [0]
    assert tokenizer.token_bytes == [b"a"]
    with pytest.raises(TokenizerError, match=r"makes the token 'b' \(1\), and the model has 1 tokens"):
        tokenizer.with_markers([0]).encode("ab")


def test_a_panic_for_one_text_is_an_error_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    panicking = Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
    panicking.pre_tokenizer = pre_tokenizers.Split(Regex(r"(a+)+$"), "isolated")
    tokenizer = CodeTokenizer(panicking)
    assert tokenizer.encode("a") == [0]
    with pytest.raises(TokenizerError, match=r"cannot split this text: .*retry-limit"):
        tokenizer.encode("a" * 40 + "b")
    assert tokenizer.encode("aa") == [0, 0]
