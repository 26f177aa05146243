"""Building the tokenizer, against a byte-level BPE written out by hand."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import regex  # type: ignore[import-untyped]
from gguf import GGUFReader
from tokenizers import Tokenizer

from greencode_lsp.models import BundleError
from greencode_lsp.models.gguf_convert import convert_gguf
from greencode_lsp.models.gguf_fields import GgufFields
from greencode_lsp.models.tokenizer_convert import convert_tokenizer
from tests.models.test_gguf_convert import ignore
from tests.models.tiny import random_weights, tokens, write_gguf

TEXTS = [
    "def add(a, b):\n    return a + b\n",
    "x = 1234567890 + 0x1F - 3.14e-10\n",
    "\tif (i<=10) {\r\n\t\treturn arr[42];\r\n\t}\n\n\n",
    "it's we'll  they've   I'd\n",
    "naïve = 'größe ¾ ٣ 数字 🙂'  # trailing   ",
    "",
    " ",
    "   \n   \n",
]


@pytest.fixture(scope="module")
def fields(default_bundle_folder: Path) -> GgufFields:
    gguf_file = default_bundle_folder / "source.gguf"
    return GgufFields(gguf_file, GGUFReader(gguf_file))


@pytest.fixture(scope="module")
def tokenizer(fields: GgufFields, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Return the default model's tokenizer as it is built today, not as it was when the cache was filled."""
    folder = tmp_path_factory.mktemp("tokenizer")
    convert_tokenizer(fields, folder)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@cache
def byte_letters() -> dict[int, str]:
    """Return GPT-2's printable letter for each byte (`bytes_to_unicode` in its encoder.py)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + rank) for rank, byte in enumerate(others)}


def encode_by_hand(text: str, vocabulary: dict[str, int], ranks: dict[tuple[str, ...], int]) -> list[int]:
    """Encode as llama.cpp does for `smollm`: each digit alone, GPT-2's pattern on the rest, merges by rank."""
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    encoded = []
    for part in regex.findall(r"\p{N}|\P{N}+", text):
        for word in regex.findall(pattern, part):
            pieces = [byte_letters()[byte] for byte in word.encode()]
            while pairs := [pair for pair in pairwise(pieces) if pair in ranks]:
                first = list(pairwise(pieces)).index(min(pairs, key=lambda pair: ranks[pair]))
                pieces[first : first + 2] = ["".join(pieces[first : first + 2])]
            encoded += [vocabulary[piece] for piece in pieces]
    return encoded


def test_the_default_tokenizer_encodes_as_the_algorithm_does_by_hand(tokenizer: Tokenizer, fields: GgufFields) -> None:
    vocabulary = {token: index for index, token in enumerate(fields.get("tokenizer.ggml.tokens", list))}
    merges = fields.get("tokenizer.ggml.merges", list)
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
    for text in TEXTS:
        assert tokenizer.encode(text).ids == encode_by_hand(text, vocabulary, ranks), text


@pytest.mark.parametrize("text", TEXTS)
def test_decoding_gives_the_text_back(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_every_digit_is_a_token_of_its_own(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("x12 = 345").tokens == ["x", "1", "2", "Ġ=", "Ġ", "3", "4", "5"]


def test_special_tokens_are_one_token_and_vanish_when_decoding(tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode("a<|im_end|>b<file_sep>")
    assert encoded.tokens == ["a", "<|im_end|>", "b", "<file_sep>"]
    assert encoded.ids[1] == 2
    assert tokenizer.decode(encoded.ids) == "ab"


def test_transformers_reads_the_same_tokenizer(tokenizer: Tokenizer, default_bundle_folder: Path) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(default_bundle_folder)
    for text in TEXTS:
        assert theirs(text).input_ids == tokenizer.encode(text).ids
    assert (theirs.eos_token, theirs.eos_token_id) == ("<|im_end|>", 2)


@pytest.mark.parametrize("add_bos", [False, True])
def test_a_first_token_is_added_only_when_the_gguf_says_so(tmp_path: Path, add_bos: bool) -> None:
    write_gguf(tmp_path / "tiny.gguf", random_weights(), add_bos=add_bos)
    convert_gguf(tmp_path / "tiny.gguf", tmp_path, ignore)
    found = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("ret in").tokens
    assert found == ["<|im_start|>"] * add_bos + ["ret", "Ġin"]


def test_a_merge_of_digits_is_never_applied(tmp_path: Path) -> None:
    assert "12" in tokens()
    write_gguf(tmp_path / "tiny.gguf", random_weights())
    convert_gguf(tmp_path / "tiny.gguf", tmp_path, ignore)
    assert Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode("12").tokens == ["1", "2"]


def test_an_unknown_way_of_splitting_text_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", random_weights(), pre="qwen2")
    with pytest.raises(BundleError, match="pre-tokenizer is 'qwen2' and only 'smollm' works"):
        convert_gguf(tmp_path / "tiny.gguf", tmp_path, ignore)
