"""Bundles: finding, fetching, verifying and locating the models that greencode runs. Never imports torch."""

from greencode_lsp.models.bundle import Bundle, BundleError, FolderSource, HubSource, WheelSource
from greencode_lsp.models.cache import cached_folder, is_cached, load_folder, pull, verify
from greencode_lsp.models.catalogue import find_bundle, list_bundles
from greencode_lsp.models.loading import ready_folder
from greencode_lsp.models.ownership import pull_command
from greencode_lsp.models.sources import Progress

__all__ = [
    "Bundle",
    "BundleError",
    "FolderSource",
    "HubSource",
    "Progress",
    "WheelSource",
    "cached_folder",
    "find_bundle",
    "is_cached",
    "list_bundles",
    "load_folder",
    "pull",
    "pull_command",
    "ready_folder",
    "verify",
]
