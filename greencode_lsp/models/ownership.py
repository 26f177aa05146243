"""Whose description a bundle is: only the user's own may start a download unasked or name folders elsewhere."""

import shlex
from pathlib import Path

from platformdirs import user_config_dir, user_data_dir

from greencode_lsp.models.bundle import Bundle
from greencode_lsp.paths import cache_folder

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_bundles() -> Path:
    """Return the folder of the bundles that ship with greencode."""
    in_wheel = _PACKAGE / "bundles"
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / "models"


def user_bundles() -> Path:
    """Return the folder in which the user's own bundles get a name."""
    return Path(user_data_dir("greencode")) / "models"


def is_own(folder: Path) -> bool:
    """Say whether a bundle's folder is the user's own: shipped, or in greencode's data, config or cache folder.

    Whatever lies elsewhere may be a stranger's: a cloned workspace, an unpacked archive, a shared disk.
    """
    own = (shipped_bundles(), Path(user_data_dir("greencode")), Path(user_config_dir("greencode")), cache_folder())
    return any(folder.is_relative_to(root) or folder.is_relative_to(root.resolve()) for root in own)


def pull_command(bundle: Bundle) -> str:
    """Return the command that fetches a bundle, for a user to type: by its name, or else by its folder."""
    named = bundle.folder.parent in (shipped_bundles(), user_bundles())
    return f"greencode models pull {bundle.name if named else shlex.quote(str(bundle.folder))}"
