"""Where greencode keeps what it can make again."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Return the cache's folder; the environment variable GREENCODE_CACHE names another one."""
    folder = os.environ.get("GREENCODE_CACHE") or platformdirs.user_cache_dir("greencode")
    return Path(folder).expanduser().absolute()
