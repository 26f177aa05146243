"""Fetching what a hub source names: the pinned files of one Hugging Face repository, never a pickle."""

import io
import shutil
from pathlib import Path
from typing import Any

from greencode_lsp.models.bundle import BundleError, HubSource, check_model_folder
from greencode_lsp.models.sources import Progress, Report, sha256_of


def fetch_hub_files(source: HubSource, folder: Path, report: Report) -> None:
    """Fetch exactly the files that `source` pins into `folder` and verify each.

    Raises `BundleError` when the hub cannot be reached or has other files than the pinned ones.
    """
    # Imported here because only a pull from the hub needs them.
    from huggingface_hub import snapshot_download
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class ReportingBar(tqdm):  # type: ignore[misc]
        """A silent bar: huggingface_hub tells the bytes it has fetched to a tqdm class and to nobody else."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            if self.unit == "B":
                report(Progress("fetching", int(self.n), int(self.total or 0)))
            return shown

    report(Progress("fetching", 0, 0))
    try:
        snapshot_download(
            source.repository,
            revision=source.revision,
            allow_patterns=list(source.files),
            local_dir=folder,
            tqdm_class=ReportingBar,
        )
    except Exception as error:  # the hub's errors have many unrelated bases (OSError, ValueError, httpx's)
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split())
        raise BundleError(
            f"cannot fetch {source.repository} at {source.revision}: check its name, your access and the network, "
            f"then pull again ({type(error).__name__}: {reason[:300]})"
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # huggingface_hub's notes about what it fetched
    for name, sha256 in source.files.items():
        if not (folder / name).is_file():
            raise BundleError(f"{source.repository} at {source.revision} has no {name}: correct bundle.toml")
        if sha256_of(folder / name, report) != sha256:
            raise BundleError(f"{source.repository}: {name} has the wrong sha256: correct bundle.toml or its revision")
    check_model_folder(folder)
