"""Fixtures that every folder of tests may use."""

from pathlib import Path

import pytest
from filelock import FileLock

from greencode_lsp.completion.loading import load_completer
from greencode_lsp.completion.suggestion import LoadOptions
from greencode_lsp.models import find_bundle, load_folder
from greencode_lsp.paths import cache_folder


@pytest.fixture(scope="session")
def default_bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the real default model, which has been started once in the user's own cache.

    What a first start leaves there, the servers of all tests share: the model, the compiled kernel, the packed weights
    and the table of what they cost. Test processes that begin together wait for the one that makes it.
    """
    cache_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder() / "tests.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("GREENCODE_DATA", str(tmp_path_factory.mktemp("ledger")))
        load_completer(LoadOptions("smollm2-135m", "cpu"))
    return load_folder(find_bundle("smollm2-135m"))
