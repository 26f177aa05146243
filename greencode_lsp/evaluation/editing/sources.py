"""Files to edit: those of a folder, or of projects that are pinned in `projects.toml` and in no training corpus."""

from __future__ import annotations

import re
import shutil
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from greencode_lsp.completion.suggestion import Report
from greencode_lsp.evaluation.editing.languages import FileType, file_type
from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.paths import cache_folder
from greencode_lsp.training.corpus.errors import CorpusError
from greencode_lsp.training.corpus.fetching import Fetcher
from greencode_lsp.training.corpus.package_list import PinnedPackage, read_package_list

PROJECTS = Path(__file__).with_name("projects.toml")
LEAST_CHARACTERS, MOST_CHARACTERS, LONGEST_LINE = 200, 12_000, 300
"""Files of a size that a person edits; a longer one costs only time, for the model reads what is near the cursor."""

FROM_ALL = ("json", "yaml")
FOREIGN = re.compile(
    r"(^|/)(\.git|\.venv|node_modules|vendor|_?vendored?|third_party|site-packages|unity|fixtures|__snapshots__"
    r"|package-lock\.json|[^/]*\.min\.[^/]*|[^/]*\.d\.m?ts)(/|$)"
)


@dataclass(frozen=True)
class EditedFile:
    """A file as it is on disk, with its line ends."""

    project: str
    path: str
    type: FileType
    text: str


@dataclass(frozen=True)
class Project:
    """A pinned archive and the languages to take from it."""

    package: PinnedPackage
    languages: tuple[str, ...]


def files_of_folder(folder: Path) -> list[EditedFile]:
    """Return a folder's files; each folder in it is a project. Raises `EvaluationError` where there are none."""
    if not folder.is_dir():
        raise EvaluationError(f"{folder} is not a folder: name one with source files")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    named = [(name, PurePosixPath(name).parts[0] if "/" in name else folder.name) for name in names]
    read = (_file(project, name, (folder / name).read_bytes()) for name, project in named if _is_wanted(name, ()))
    files = [file for file in read if file is not None]
    if not files:
        raise EvaluationError(f"{folder} holds no source file of {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters")
    return files


def files_of_projects(report: Report, languages: Sequence[str], warned: list[str]) -> list[EditedFile]:
    """Return the files of the pinned projects, fetched once into the cache.

    What cannot be fetched is named in `warned`; raises `EvaluationError` where that is all of it.
    """
    wanted = set(languages)
    projects = [each for each in read_projects() if wanted & {*each.languages, *FROM_ALL}]
    files: list[EditedFile] = []
    for done, project in enumerate(projects):
        report("projects", done, len(projects))
        try:
            archive = fetch(project.package)
            files += [file for file in read_archive(archive, project) if file.type.language in languages]
        except CorpusError as error:
            warned.append(f"{project.package.name}: {error}")
    report("projects", len(projects), len(projects))
    if not files:
        raise EvaluationError(f"no project could be had: name a folder with source files instead ({warned[-1]})")
    return files


def read_projects(path: Path = PROJECTS) -> list[Project]:
    """Read the list of projects."""
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    pinned = {package.name: package for package in read_package_list().packages if package.split == "heldout"}
    projects = [Project(pinned[entry["name"]], tuple(entry["languages"])) for entry in values["heldout"]]
    for entry in values["projects"]:
        languages = tuple(entry.pop("languages"))
        paths = tuple(entry.pop("paths", ()))
        projects.append(Project(PinnedPackage(**entry, language=languages[0], split="heldout", paths=paths), languages))
    return projects


def fetch(package: PinnedPackage) -> Path:
    """Return a package's archive, from the cache where it is there; raise `CorpusError` where it cannot be had."""
    folder = cache_folder() / "editing"
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.+-]", "_", f"{package.registry}-{package.name}-{package.version}")
    for kept in folder.glob(f"{name}.*"):
        return kept
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as work:
        place = Path(work) / "archive"
        place.mkdir()
        archive = Fetcher(Path(work)).fetch(package, place)
        ending = ".whl" if archive.suffix == ".whl" else ".tar"
        return Path(shutil.move(archive, folder / (name + ending)))


def read_archive(archive: Path, project: Project) -> Iterator[EditedFile]:
    """Yield the wanted files of an archive, by name. Raises `CorpusError` where it is damaged."""
    try:
        for name, data in sorted(_members(archive)):
            inside = name if project.package.registry == "pypi" else name.partition("/")[2]
            file = _file(project.package.name, inside, data)
            if file is None or not _is_wanted(inside, project.package.paths):
                continue
            if file.type.language in (*project.languages, *FROM_ALL):
                yield file
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise CorpusError(f"{archive} is damaged: delete it and run again") from error


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                if file_type(member.filename) is not None:
                    yield member.filename, opened.read(member)
        return
    with tarfile.open(archive) as opened_tar:
        for tar_member in opened_tar:
            if tar_member.isfile() and file_type(tar_member.name) is not None:
                file = opened_tar.extractfile(tar_member)
                yield tar_member.name, file.read() if file is not None else b""


def _is_wanted(name: str, paths: Iterable[str]) -> bool:
    found = file_type(name)
    if found is None or FOREIGN.search(name):
        return False
    inside = PurePosixPath(name)
    return found.language in FROM_ALL or not paths or any(inside.is_relative_to(folder) for folder in paths)


def _file(project: str, path: str, data: bytes) -> EditedFile | None:
    """Return a file that a person may have written, None for another one."""
    found = file_type(path)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if found is None or not LEAST_CHARACTERS <= len(text) <= MOST_CHARACTERS or "\0" in text:
        return None
    if max(map(len, text.splitlines()), default=0) > LONGEST_LINE or text.startswith("\ufeff"):
        return None
    return EditedFile(project, path, found, text)
