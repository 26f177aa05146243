"""Reading `bundle.toml`, the file that describes a bundle, and refusing what it must not say."""

import itertools
import re
from collections.abc import Set
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from greencode_lsp.models.bundle import Bundle, BundleError, FolderSource, HubSource, Source, WheelSource
from greencode_lsp.reading import UnreadableFileError, read_toml

BUNDLE_FILE = "bundle.toml"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HUB_FILE = re.compile(r"[A-Za-z0-9_][\w.-]*\.(safetensors|json|txt)")

_KEYS = frozenset({"name", "description", "family", "licence", "layers", "exits", "infill", "source"})
_SOURCE_KEYS = {
    "wheel": frozenset({"kind", "requirement", "wheel_sha256", "file", "file_sha256", "file_bytes"}),
    "hub": frozenset({"kind", "repository", "revision", "files"}),
    "folder": frozenset({"kind", "path"}),
}

_Value = TypeVar("_Value")
_TYPE_NAMES = {str: "a string", int: "a whole number", list: "a list", dict: "a table"}


class _Table:
    """One table of a bundle file, whose getters raise `BundleError` naming the file, the key and the cure."""

    def __init__(self, path: Path, values: dict[str, Any], prefix: str = "") -> None:
        self._path, self._values, self._prefix = path, values, prefix

    def wrong(self, key: str, cure: str) -> BundleError:
        return BundleError(f"{self._path}: {self._prefix}{key}: {cure}")

    def only(self, known: Set[str]) -> None:
        for key in self._values:
            if key not in known:
                raise self.wrong(repr(key), f"unknown key, remove it or use one of {', '.join(sorted(known))}")

    def get(self, key: str, kind: type[_Value]) -> _Value:
        if key not in self._values:
            raise self.wrong(key, f"missing, add {_TYPE_NAMES[kind]}")
        value = self._values[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.wrong(key, f"must be {_TYPE_NAMES[kind]}")
        return value

    def text(self, key: str, pattern: re.Pattern[str], cure: str) -> str:
        value = self.get(key, str)
        if not pattern.fullmatch(value):
            raise self.wrong(key, cure)
        return value

    def positive(self, key: str) -> int:
        value = self.get(key, int)
        if value < 1:
            raise self.wrong(key, "must be a whole number of at least 1")
        return value

    def sha256(self, key: str) -> str:
        return self.text(key, _SHA256, "must be a sha256: 64 lower-case hexadecimal digits")

    def table(self, key: str) -> "_Table":
        return _Table(self._path, self.get(key, dict), f"{self._prefix}{key}.")

    def keys(self) -> list[str]:
        return list(self._values)


def read_bundle(folder: Path) -> Bundle:
    """Read `folder/bundle.toml`; raise `BundleError` with one line naming the file, the key and the cure."""
    path = folder / BUNDLE_FILE
    try:
        values = read_toml(path)
    except (OSError, UnreadableFileError) as error:
        raise BundleError(f"{path}: cannot be read, correct it: {error}") from error
    table = _Table(path, values)
    table.only(_KEYS)
    layers = table.positive("layers")
    return Bundle(
        name=table.text("name", _NAME, "must be lower-case letters, digits, '.', '_' and '-'"),
        description=table.get("description", str),
        family=table.get("family", str),
        licence=table.get("licence", str),
        layers=layers,
        exits=_exits(table, layers),
        source=_source(table.table("source"), folder),
        folder=folder,
        infill=table.get("infill", str) if "infill" in table.keys() else None,  # noqa: SIM118 - a table of ours
    )


def _exits(table: _Table, layers: int) -> tuple[int, ...]:
    exits = table.get("exits", list)
    if not all(type(depth) is int for depth in exits):
        raise table.wrong("exits", "must be a list of whole numbers")
    if any(not 1 <= depth <= layers for depth in exits):
        raise table.wrong("exits", f"must lie in 1..{layers}; at {layers} only for exits with a shortlist")
    if any(deeper <= depth for depth, deeper in itertools.pairwise(exits)):
        raise table.wrong("exits", "must be strictly increasing, sort them and remove duplicates")
    return tuple(exits)


def _source(table: _Table, folder: Path) -> Source:
    kind = table.get("kind", str)
    if kind not in _SOURCE_KEYS:
        raise table.wrong("kind", f"must be one of {', '.join(_SOURCE_KEYS)}")
    table.only(_SOURCE_KEYS[kind])
    if kind == "wheel":
        return _wheel_source(table)
    if kind == "hub":
        return _hub_source(table)
    return FolderSource((folder / Path(table.get("path", str)).expanduser()).resolve())


def _wheel_source(table: _Table) -> WheelSource:
    file = table.get("file", str)
    parts = PurePosixPath(file).parts
    if not file.endswith(".gguf") or "\\" in file or ":" in file or file.startswith("/") or ".." in parts:
        raise table.wrong("file", "must be the relative path of a .gguf file inside the wheel, without '..'")
    return WheelSource(
        requirement=table.text("requirement", _PINNED, "must pin one version, as in package==1.0"),
        wheel_sha256=table.sha256("wheel_sha256"),
        file=file,
        file_sha256=table.sha256("file_sha256"),
        file_bytes=table.positive("file_bytes"),
    )


def _hub_source(table: _Table) -> HubSource:
    files = table.table("files")
    for name in files.keys():  # noqa: SIM118 - a table of ours, not a dict
        if not _HUB_FILE.fullmatch(name):
            raise files.wrong(repr(name), "must be a plain .safetensors, .json or .txt name, pickles are refused")
    for required in ("config.json", "tokenizer.json"):
        files.sha256(required)
    if not any(name.endswith(".safetensors") for name in files.keys()):  # noqa: SIM118
        raise table.wrong("files", "no .safetensors file, name a repository that has one (pickles are refused)")
    return HubSource(
        repository=table.text("repository", _REPOSITORY, "must look like owner/name"),
        revision=table.text("revision", _REVISION, "must be a commit, tag or branch"),
        files={name: files.sha256(name) for name in files.keys()},  # noqa: SIM118
    )
