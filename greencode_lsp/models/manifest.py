"""The list of what a pull has written: `manifest.json`, by which a cached model is recognised and verified."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from greencode_lsp.models.bundle import HubSource, WheelSource
from greencode_lsp.models.sources import Report, sha256_of
from greencode_lsp.reading import read_json

MANIFEST_FILE = "manifest.json"
CONVERTER_VERSION = 1
"""Raise it when a conversion writes something else from the same source: older caches are then left behind."""


def source_hash(source: WheelSource | HubSource) -> str:
    """Return a sha256 over all that decides what a pull writes: the pinned source and the converter's version."""
    described = {"source": asdict(source), "converter": CONVERTER_VERSION}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class FileRecord:
    """One file as the pull wrote it."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """What was written and from which source; `files` maps names inside the folder."""

    source: str
    files: dict[str, FileRecord]


def write_manifest(source: WheelSource | HubSource, folder: Path, report: Report) -> None:
    """Record every file of `folder`."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": sha256_of(path, report), "size_bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    text = json.dumps({"source": source_hash(source), "described": asdict(source), "files": files}, indent=2)
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of `folder`, None when there is none that can be read."""
    try:
        values = read_json(folder / MANIFEST_FILE)
        files = {name: FileRecord(str(one["sha256"]), int(one["size_bytes"])) for name, one in values["files"].items()}
        if not all(_is_inside(name) for name in files):
            return None
        return Manifest(str(values["source"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_inside(name: str) -> bool:
    """Say whether a file's name stays inside the manifest's folder, on every system."""
    return not name.startswith("/") and "\\" not in name and ":" not in name and ".." not in name.split("/")
