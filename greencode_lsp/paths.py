"""Where greencode keeps what it can make again."""

import logging
import os
import shutil
import stat
import tempfile
from functools import cache
from pathlib import Path

import platformdirs

log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the cache's folder; the environment variable GREENCODE_CACHE names another one."""
    folder = os.environ.get("GREENCODE_CACHE") or platformdirs.user_cache_dir("greencode")
    return Path(folder).expanduser().absolute()


def made_folder(name: str) -> Path:
    """Return the cache's folder `name` for what this machine compiles, packs or measures.

    Where the cache cannot be written, that would be made again at every start, for up to a minute. Then it is kept in
    a folder of this user's in the system's temporary folder, which begins with what the cache holds; one line says so.
    """
    folder = cache_folder()
    problem = why_unwritable(folder)
    if problem is None:
        return folder / name
    stand_in = stand_in_folder(folder, problem)
    if stand_in is None:
        return folder / name
    if not (stand_in / name).exists() and (folder / name).is_dir():
        shutil.copytree(folder / name, stand_in / name)
    return stand_in / name


@cache
def why_unwritable(folder: Path) -> str | None:
    """Return why nothing can be written into a folder, None where it can, and make it where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


@cache
def stand_in_folder(folder: Path, problem: str) -> Path | None:
    """Return the folder that stands in for a cache that cannot be written, None where nobody may trust it."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    stand_in = Path(tempfile.gettempdir()) / f"greencode-{user}"
    try:
        stand_in.mkdir(mode=0o700, exist_ok=True)
        status = stand_in.lstat()
    except OSError:
        status = None
    # Programs are loaded from there: another user must not have made it.
    safe = status is not None and stat.S_ISDIR(status.st_mode)
    if os.name == "posix":
        safe = safe and status is not None and status.st_uid == user and not status.st_mode & 0o077
    where = f"is kept in {stand_in}" if safe else "is made again at every start"
    log.warning(
        "the cache %s cannot be written (%s): what is compiled and measured %s; "
        "make it writable, or set GREENCODE_CACHE",
        folder,
        problem,
        where,
    )
    return stand_in if safe else None
