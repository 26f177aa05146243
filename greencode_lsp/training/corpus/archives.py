"""Source files out of a wheel or a tarball, in memory: nothing of an archive is ever written to the disk or run."""

import hashlib
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from greencode_lsp.training.corpus.errors import CorpusError
from greencode_lsp.training.corpus.filters import MOST_CHARACTERS
from greencode_lsp.training.corpus.package_list import PinnedPackage

ENDINGS = {
    "python": (".py",),
    "java": (".java",),
    "javascript": (".js", ".mjs", ".jsx"),
    "typescript": (".ts", ".tsx", ".mts"),
}
MOST_BYTES = 4 * MOST_CHARACTERS
"""More bytes than that are too many characters in any encoding; such files are listed and not read."""

_FOREIGN = {"_vendor", "vendor", "vendored", "_vendored", "third_party", "thirdparty", "node_modules", "site-packages"}
_BUILT = {"dist", "build", "umd", "cjs", "esm", "_cjs", "_esm", "min", "bundles"}


@dataclass(frozen=True)
class ArchiveFile:
    """One source file; `data` is None for one too large to read."""

    name: str
    data: bytes | None


def source_files(archive: Path, package: PinnedPackage) -> list[ArchiveFile]:
    """Return the files of the package's language, in an order that is random and always the same.

    Copies of other projects and compiled output are left out. Raises `CorpusError` for a damaged archive.
    """
    try:
        members = _zip_members(archive, package) if archive.suffix == ".whl" else _tar_members(archive, package)
        files = list(members)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise CorpusError(f"{archive.name} is damaged: run again") from error
    return sorted(files, key=lambda file: hashlib.sha256(file.name.encode()).digest())


def is_wanted(name: str, package: PinnedPackage) -> bool:
    """Say whether a member's name is that of a source file of the project's own."""
    inside = PurePosixPath(name) if package.registry == "pypi" else PurePosixPath(*PurePosixPath(name).parts[1:])
    lower = inside.name.lower()
    if not lower.endswith(ENDINGS[package.language]) or lower.endswith(".d.ts") or ".min." in lower:
        return False
    folders = {part.lower() for part in inside.parts[:-1]}
    if folders & _FOREIGN or (package.registry == "npm" and folders & _BUILT):
        return False
    return not package.paths or any(inside.is_relative_to(folder) for folder in package.paths)


def _zip_members(archive: Path, package: PinnedPackage) -> Iterator[ArchiveFile]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            if is_wanted(member.filename, package):
                yield ArchiveFile(member.filename, opened.read(member) if member.file_size <= MOST_BYTES else None)


def _tar_members(archive: Path, package: PinnedPackage) -> Iterator[ArchiveFile]:
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile() and is_wanted(member.name, package):
                file = opened.extractfile(member) if member.size <= MOST_BYTES else None
                yield ArchiveFile(member.name, file.read() if file else None)
