"""A tiny bundle, a local package index and an empty cache: nothing here touches the network or the user's cache."""

import os
from pathlib import Path

import pytest

from tests.models.tiny import TinyBundle, random_weights, write_gguf, write_wheel


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the cache at an empty folder and return where its models will lie."""
    monkeypatch.setenv("GREENCODE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def tiny(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> TinyBundle:
    """Return a described bundle whose wheel pip finds in a local folder and nowhere else."""
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    weights = random_weights()
    write_gguf(tmp_path / "tiny.gguf", weights)
    gguf = (tmp_path / "tiny.gguf").read_bytes()
    write_wheel(index, gguf)
    bundle = TinyBundle(tmp_path / "tiny", index, gguf, weights)
    bundle.describe()
    return bundle
