"""GGUF files whose header says what cannot be: refused in one line, before anything is read or counted by it."""

import json
import struct
from pathlib import Path
from random import Random

import pytest
from gguf import GGUFReader

from greencode_lsp.models import BundleError
from greencode_lsp.models.gguf_convert import convert_gguf
from greencode_lsp.models.gguf_header import check_gguf_header
from tests.models.tiny import HIDDEN, random_weights, write_gguf

UINT32, FLOAT32, STRING, ARRAY = 4, 6, 8, 9
F32, Q4_1 = 0, 3


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def array(kind: int, count: int, values: bytes = b"") -> bytes:
    return struct.pack("<IQ", kind, count) + values


def tensor(name: str, *shape: int, kind: int = F32, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def header(*keys: bytes, tensors: tuple[bytes, ...] = (), **said: int) -> bytes:
    counted = struct.pack("<QQ", said.get("tensor_count", len(tensors)), said.get("key_count", len(keys)))
    return b"GGUF" + struct.pack("<I", said.get("version", 3)) + counted + b"".join((*keys, *tensors))


def nested(levels: int) -> bytes:
    return array(ARRAY, 1) * (levels - 1) + array(UINT32, 1, bytes(4))


ABSURD = {
    "nothing": (b"", "cannot mmap an empty file"),
    "another format": (b"PK\x03\x04" + bytes(100), "does not begin with GGUF"),
    "another version": (header(version=1) + bytes(100), "version 1"),
    "the other byte order": (header(version=3 << 24) + bytes(100), "version 50331648"),
    "2^63 tensors": (header(tensor_count=1 << 63) + bytes(100), "9223372036854775808 tensors"),
    "2^63 keys": (header(key_count=1 << 63) + bytes(100), "9223372036854775808 keys"),
    "an array of 2^40 numbers": (header(key("a", ARRAY, array(UINT32, 1 << 40))), "1099511627776 elements"),
    "an array of 2^40 strings": (header(key("a", ARRAY, array(STRING, 1 << 40))), "1099511627776 elements"),
    "an array longer than the file": (header(key("a", ARRAY, array(UINT32, 99, bytes(8)))), "99 elements in a"),
    "nested arrays": (header(key("a", ARRAY, nested(100_000))), "a is an array of arrays"),
    "a string of 2^62 bytes": (header(key("a", STRING, struct.pack("<Q", 1 << 62))), "4611686018427387904"),
    "a key of 2^62 bytes": (header(struct.pack("<Q", 1 << 62)) + bytes(100), "a key has a text of"),
    "a string that is not UTF-8": (header(key("a", STRING, struct.pack("<Q", 1) + b"\xff")), "not UTF-8"),
    "an unknown kind": (header(key("a", 77, bytes(8))), "unknown kind 77"),
    "an array of an unknown kind": (header(key("a", ARRAY, array(77, 1, bytes(8)))), "unknown kind 77"),
    "a key twice": (header(*[key("a", UINT32, bytes(4))] * 2), "the key 'a' is there twice"),
    "alignment 0": (header(key("general.alignment", UINT32, bytes(4))), "general.alignment"),
    "an alignment of 33": (
        header(key("general.alignment", UINT32, struct.pack("<I", 33))),
        "general.alignment is no power of two",
    ),
    "an alignment in words": (header(key("general.alignment", STRING, text("32"))), "general.alignment"),
    "no dimension": (header(tensors=(tensor("t"),)) + bytes(99), "t has 0 dimensions"),
    "2^31 dimensions": (
        header(tensors=(text("t") + struct.pack("<I", 1 << 31) + bytes(100),)),
        "t has 2147483648 dimensions",
    ),
    "a dimension of 0": (header(tensors=(tensor("t", 4, 0),)) + bytes(999), "t has rows of 4"),
    "dimensions of 2^62": (header(tensors=(tensor("t", 1 << 62, 1 << 62),)) + bytes(999), "and the file has"),
    "a row of half a block": (header(tensors=(tensor("t", 33, 2, kind=Q4_1),)) + bytes(999), "multiple of 32"),
    "an unknown type": (header(tensors=(tensor("t", 4, kind=999),)) + bytes(999), "unknown type 999"),
    "an offset behind the end": (
        header(tensors=(tensor("t", 4, offset=1 << 20),)) + bytes(999),
        "t should have 16 bytes at",
    ),
    "an offset of 2^63": (header(tensors=(tensor("t", 4, offset=1 << 63),)) + bytes(999), "t should have 16 bytes at"),
    "an offset between two places": (
        header(tensors=(tensor("t", 4, offset=4),)) + bytes(999),
        "t should have 16 bytes at 4",
    ),
    "a tensor twice": (header(tensors=(tensor("t", 4),) * 2) + bytes(999), "the tensor 't' is there twice"),
}


@pytest.mark.parametrize("case", ABSURD)
def test_an_absurd_header_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    content, said = ABSURD[case]
    path = tmp_path / "absurd.gguf"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"^absurd\.gguf is not a GGUF file") as caught:
        convert_gguf(path, tmp_path, lambda progress: None)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_kind_of_value_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "every.gguf"
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    keys = [key(f"plain.{kind}", kind, bytes(size)) for kind, size in sizes.items()]
    keys += [key(f"array.{kind}", ARRAY, array(kind, 3, bytes(3 * size))) for kind, size in sizes.items()]
    keys += [key("text", STRING, text("ä")), key("texts", ARRAY, array(STRING, 2, text("a") + text("")))]
    keys += [key("general.alignment", UINT32, struct.pack("<I", 64))]
    head = header(*keys, tensors=(tensor("t", 4), tensor("u", 32, 2, kind=Q4_1, offset=64)))
    path.write_bytes(head + bytes(-len(head) % 64) + bytes(64 + 40))
    check_gguf_header(path)
    assert set(GGUFReader(path).fields) > {"plain.12", "array.12", "texts"}
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match="u should have 40 bytes at 64, and the file has 103 bytes of tensors"):
        check_gguf_header(path)


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.gguf", tmp_path / "cut.gguf"
    write_gguf(whole, random_weights())
    content = whole.read_bytes()
    lengths = [*range(64), *(Random(0).sample(range(64, len(content)), 60)), len(content) - 1]
    for length in lengths:
        path.write_bytes(content[:length])
        with pytest.raises(BundleError, match=r"^cut\.gguf is not a GGUF file"):
            convert_gguf(path, tmp_path, lambda progress: None)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("llama.block_count", 1 << 31, "llama.block_count is 2147483648"),
        ("llama.block_count", 1 << 30, "says that it has 1073741824 layers"),
        ("llama.attention.head_count", 0, "llama.attention.head_count is 0"),
        ("llama.attention.head_count", 7, "rows, and must have 7 heads"),
        ("llama.embedding_length", 0, "llama.embedding_length is 0"),
        ("tokenizer.ggml.bos_token_id", 4_000_000_000, "tokenizer.ggml.bos_token_id is 4000000000"),
    ],
)
def test_a_number_that_no_model_has_is_refused(name: str, value: int, said: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    write_gguf(path, random_weights())
    content = path.read_bytes()
    at = content.index(text(name)) + len(text(name)) + 4
    path.write_bytes(content[:at] + struct.pack("<I", value) + content[at + 4 :])
    with pytest.raises(BundleError, match=r"^odd\.gguf cannot be converted") as caught:
        convert_gguf(path, tmp_path, lambda progress: None)
    assert said in str(caught.value)


@pytest.mark.parametrize("merge", ["rett", "zz z", "r  t"])
def test_merges_of_no_tokens_are_refused(merge: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    write_gguf(path, random_weights())
    path.write_bytes(path.read_bytes().replace(text("r et"), text(merge)))
    with pytest.raises(
        BundleError, match=r"^odd\.gguf cannot be converted, its merges are not of its tokens"
    ) as caught:
        convert_gguf(path, tmp_path, lambda progress: None)
    assert "\n" not in str(caught.value)


def test_a_vector_in_the_place_of_a_matrix_is_refused(tmp_path: Path) -> None:
    path, weights = tmp_path / "odd.gguf", random_weights()
    write_gguf(path, weights | {"model.layers.0.mlp.up_proj.weight": weights["model.norm.weight"]})
    with pytest.raises(BundleError, match=r"up_proj\.weight has 1 dimensions, and must have 2"):
        convert_gguf(path, tmp_path, lambda progress: None)


def test_an_ordinary_file_is_converted_after_the_check(tmp_path: Path) -> None:
    path = tmp_path / "plain.gguf"
    write_gguf(path, random_weights())
    convert_gguf(path, tmp_path, lambda progress: None)
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["hidden_size"] == HIDDEN
