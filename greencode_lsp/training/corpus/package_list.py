"""The list of packages a corpus is made of: `packages.toml`, shipped, or a user's own in the same form."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greencode_lsp.training.corpus.errors import CorpusError
from greencode_lsp.training.corpus.reader import SPLITS

SHIPPED = Path(__file__).with_name("packages.toml")
FORMAT = 1
REGISTRIES = ("pypi", "debian", "npm")
LANGUAGES = ("python", "java", "javascript", "typescript")

_ALLOWED: dict[str, re.Pattern[str]] = {
    "name": re.compile(r"@?[A-Za-z0-9][\w.+-]*(/[\w.-]+)?"),
    "version": re.compile(r"[A-Za-z0-9][\w.!+~:-]*"),
    "registry": re.compile("|".join(REGISTRIES)),
    "language": re.compile("|".join(LANGUAGES)),
    "licence": re.compile(r"\S.*"),
    "split": re.compile("|".join(SPLITS)),
    "sha256": re.compile(r"[0-9a-f]{64}"),
}


@dataclass(frozen=True)
class PinnedPackage:
    """One released version of a project. `paths` are the folders of its archive to read, all when there are none."""

    name: str
    version: str
    registry: str
    language: str
    licence: str
    split: str
    sha256: str | None = None
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class PackageList:
    """Packages and how much of them: tokens by split, shares by language, and the most one package may take."""

    packages: tuple[PinnedPackage, ...]
    tokens: dict[str, int]
    language_share: dict[str, float]
    package_share: dict[str, float]


def read_package_list(path: Path = SHIPPED) -> PackageList:
    """Read a package list; raise `CorpusError` with one line naming the file, the package, the key and the cure."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read, make it a readable UTF-8 file: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise CorpusError(f"{path}: not valid TOML, correct it: {error}") from error
    if values.get("format") != FORMAT:
        raise CorpusError(f"{path}: format: must be {FORMAT}")
    listed = values.get("packages")
    if not isinstance(listed, list) or not listed or not all(isinstance(entry, dict) for entry in listed):
        raise CorpusError(f"{path}: packages: must be a list of tables with at least one package")
    packages = tuple(_package(path, index, entry) for index, entry in enumerate(listed))
    names = [(package.registry, package.name) for package in packages]
    for index, (registry, name) in enumerate(names):
        if (registry, name) in names[:index]:
            raise CorpusError(f"{path}: {name}: listed twice, remove one of them")
    used = sorted({package.language for package in packages})
    return PackageList(
        packages,
        {split: int(value) for split, value in _numbers(path, values, "tokens", SPLITS, 1e12).items()},
        _numbers(path, values, "language_share", used, 1.0),
        _numbers(path, values, "package_share", SPLITS, 1.0),
    )


def _package(path: Path, index: int, entry: dict[str, Any]) -> PinnedPackage:
    name = entry.get("name") or f"package {index + 1}"
    for key in entry:
        if key not in _ALLOWED and key != "paths":
            raise CorpusError(f"{path}: {name}: unknown key {key!r}, use {', '.join(_ALLOWED)} or paths")
    for key, pattern in _ALLOWED.items():
        if key not in entry and key == "sha256":
            continue
        if key not in entry:
            raise CorpusError(f"{path}: {name}: {key}: missing, every package needs one")
        if not isinstance(entry[key], str) or not pattern.fullmatch(entry[key]):
            raise CorpusError(f"{path}: {name}: {key}: must match {pattern.pattern}")
    paths = entry.get("paths", [])
    if not isinstance(paths, list) or not all(isinstance(folder, str) and folder for folder in paths):
        raise CorpusError(f"{path}: {name}: paths: must be a list of folders inside of the archive")
    return PinnedPackage(**{**entry, "paths": tuple(paths)})


def _numbers(path: Path, values: dict[str, Any], table: str, keys: Any, most: float) -> dict[str, float]:
    found = values.get(table)
    if not isinstance(found, dict):
        raise CorpusError(f"{path}: {table}: missing, add a table with {', '.join(keys)}")
    for key in keys:
        value = found.get(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= most:
            raise CorpusError(f"{path}: {table}.{key}: must be a number above 0 and at most {most:g}")
    return {key: found[key] for key in keys}
