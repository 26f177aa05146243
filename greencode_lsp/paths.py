"""Where greencode keeps what it can make again."""

import logging
import os
import stat
import tempfile
from pathlib import Path

import platformdirs

log = logging.getLogger(__name__)

CURE = "make it writable or set GREENCODE_CACHE to another folder"


def cache_folder() -> Path:
    """Return the cache's folder; the environment variable GREENCODE_CACHE names another one."""
    folder = os.environ.get("GREENCODE_CACHE") or platformdirs.user_cache_dir("greencode")
    return Path(folder).expanduser().absolute()


def kept_path(path: Path) -> Path:
    """Return where a file of the cache is or can be put: `path`, or the same name in `fallback_folder`.

    A cache that cannot be written is still read. That it cannot be is logged once.
    """
    if os.path.exists(path) or writing_problem(path.parent) is None:
        return path
    root, fallback = cache_folder(), fallback_folder()
    if root not in _told:
        _told.add(root)
        log.warning("%s", unwritable(root if writing_problem(root) else path.parent))
    return path if fallback is None else fallback / path.parent.name / path.name


_told: set[Path] = set()


def writing_problem(folder: Path) -> str | None:
    """Return why no file can be put into a folder, made where it is missing; None where one can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def fallback_folder() -> Path | None:
    """Return this user's own folder among the temporary files, None where there can be none.

    Compiled code is run from it, so a folder that somebody else owns or may write to is left alone.
    """
    user = os.getuid() if hasattr(os, "getuid") else None
    folder = Path(tempfile.gettempdir()) / ("greencode" if user is None else f"greencode-{user}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    others_may_write = user is not None and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    own = stat.S_ISDIR(found.st_mode) and user in (None, found.st_uid) and not others_may_write
    return folder if own and writing_problem(folder) is None else None


def unwritable(folder: Path) -> str:
    """Return one line that names a folder of the cache that cannot be written, what that costs, and the cure."""
    fallback = fallback_folder()
    if fallback is None:
        cost = "every start packs the model and measures its energy again, up to a minute"
    else:
        cost = f"{fallback} is used instead, and once that is emptied a start takes up to a minute"
    return f"the cache folder {folder} cannot be written ({writing_problem(folder)}): {cost}; {CURE}"
