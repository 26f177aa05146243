"""Reading what a stranger has written: in bounded time and memory, and with one line for what cannot be read."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from greencode_lsp.reading import (
    UnreadableFileError,
    check_regular,
    parse_json,
    read_bytes,
    read_json,
    read_text,
    read_toml,
    sha256_of,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor devices in folders")

READERS = (check_regular, read_bytes, read_text, read_json, read_toml, sha256_of)


def refusal(read: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@posix
@pytest.mark.parametrize("read", READERS)
def test_what_is_no_file_is_refused_at_once(read: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # to open it would wait for ever
    (tmp_path / "endless").symlink_to("/dev/zero")
    assert refusal(read, tmp_path / "pipe") == "it is a named pipe, and must be a regular file"
    assert refusal(read, tmp_path / "endless") == "it is a device, and must be a regular file"
    assert refusal(read, tmp_path) == "it is a folder, and must be a regular file"


@pytest.mark.parametrize("read", READERS)
def test_a_missing_file_is_an_os_error(read: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")


@posix
@pytest.mark.parametrize("read", READERS[1:])
def test_a_file_of_a_terabyte_is_not_read(read: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "huge"
    path.touch()
    os.truncate(path, 1 << 40)  # a hole
    assert "bytes that such a file may have" in refusal(read, path)


def test_a_file_may_be_as_long_as_its_reader_says(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    assert refusal(lambda path: read_bytes(path, 4), path) == "it has more than the 4 bytes that such a file may have"


@pytest.mark.parametrize("levels", [65, 500, 1000, 100_000])
@pytest.mark.parametrize(("opening", "inner", "closing"), [("[", "", "]"), ('{"a":', "1", "}")])
def test_json_is_nested_no_deeper_than_its_limit(
    levels: int, opening: str, inner: str, closing: str, tmp_path: Path
) -> None:
    path = tmp_path / "deep.json"
    path.write_text(opening * levels + inner + closing * levels, encoding="utf-8")
    assert refusal(read_json, path) == "it is nested deeper than the 64 levels that such a file may have"


@pytest.mark.parametrize("levels", [65, 500, 100_000])
def test_toml_is_nested_no_deeper_than_its_limit(levels: int, tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(f"a = {'[' * levels}{']' * levels}\n", encoding="utf-8")
    assert "is nested deeper than the 64 levels" in refusal(read_toml, path)


def test_ordinary_nesting_is_read(tmp_path: Path) -> None:
    assert parse_json("[" * 60 + "1" + "]" * 60)
    path = tmp_path / "a.toml"
    path.write_text("[a.b]\nc = [[1], {d = 2}]\n", encoding="utf-8")
    assert read_toml(path) == {"a": {"b": {"c": [[1], {"d": 2}]}}}


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1', b"9" * 5000, b"\x00"])
def test_what_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    assert refusal(read_json, tmp_path / "a").startswith("it is not valid JSON: ")


def test_what_is_not_utf_8_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"a": "\xff"}')
    assert refusal(read_json, tmp_path / "a") == refusal(read_toml, tmp_path / "a") == "it is not UTF-8 at byte 7"
