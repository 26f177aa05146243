"""Reading files that a stranger has written: regular files of a bounded size, JSON and TOML of a bounded depth."""

import hashlib
import json
import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Text = TypeVar("Text", str, str | bytes)

MOST_BYTES = 16 << 20
"""Of a JSON or TOML file. Those that greencode reads have some kilobytes."""

MOST_HASHED_BYTES = 4 << 30
"""Of a file whose sha256 tells what it belongs to: trained exits, a policy, a drafter."""

MOST_LEVELS = 64
"""How deep lists and objects may be nested. Python gives up at about 1,000, in the middle of whatever it does."""

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class UnreadableFileError(ValueError):
    """A file that its reader does not take. The message says what was found and wanted; the caller names the file."""


def check_regular(path: Path) -> None:
    """Raise `UnreadableFileError` where reading a path might wait or go on for ever, `OSError` where there is none."""
    _check_mode(path.stat().st_mode)


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return what a regular file holds; raise `UnreadableFileError` where it is none or too long, or `OSError`."""
    # Without O_NONBLOCK, opening a named pipe waits until somebody writes into it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        _check_mode(status.st_mode)
        if status.st_size > most_bytes:
            raise _too_long(most_bytes)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(most_bytes + 1)  # it may have grown
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise _too_long(most_bytes)
    return content


def sha256_of(path: Path, most_bytes: int = MOST_HASHED_BYTES) -> str:
    """Return a regular file's sha256 in hexadecimal; raise what `read_bytes` raises. A file may be all hole."""
    size = path.stat().st_size
    check_regular(path)
    if size > most_bytes:
        raise _too_long(most_bytes)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Return what a regular file of UTF-8 holds; raise `UnreadableFileError` where it is none, or `OSError`."""
    try:
        return read_bytes(path, most_bytes).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"it is not UTF-8 at byte {error.start}") from error


def read_json(path: Path, most_bytes: int = MOST_BYTES) -> Any:
    """Return what a JSON file holds; raise `UnreadableFileError` where it is none, or `OSError`."""
    return parse_json(read_text(path, most_bytes))


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text; raise `UnreadableFileError` where it is none or is nested too deep."""
    return _parsed(text, json.loads, "JSON")


def read_toml(path: Path, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """Return what a TOML file holds; raise `UnreadableFileError` where it is none, or `OSError`."""
    values: dict[str, Any] = _parsed(read_text(path, most_bytes), tomllib.loads, "TOML")
    return values


def _parsed(text: Text, parse: Callable[[Text], Any], kind: str) -> Any:
    try:
        value = parse(text)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise UnreadableFileError(f"it is not valid {kind}: {error}") from error
    _check_levels(value)
    return value


def _check_mode(mode: int) -> None:
    if not stat.S_ISREG(mode):
        found = KINDS.get(stat.S_IFMT(mode), "something else")
        raise UnreadableFileError(f"it is {found}, and must be a regular file")


def _check_levels(value: Any) -> None:
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        inner = [one for one in level if isinstance(one, (list, dict))]
        if not inner:
            return
        level = [child for one in inner for child in (one.values() if isinstance(one, dict) else one)]
    raise _too_deep()


def _too_long(most_bytes: int) -> UnreadableFileError:
    return UnreadableFileError(f"it has more than the {most_bytes:,} bytes that such a file may have")


def _too_deep() -> UnreadableFileError:
    return UnreadableFileError(f"it is nested deeper than the {MOST_LEVELS} levels that such a file may have")
