"""Fixtures that every folder of tests may use."""

from pathlib import Path

import pytest

from greencode_lsp.models import find_bundle, pull


@pytest.fixture(scope="session")
def default_bundle_folder() -> Path:
    """Return the folder of the real default model, pulled once into the user's own cache."""
    return pull(find_bundle("smollm2-135m"))
