"""A cache that cannot be written, and what is used instead."""

import os
import tempfile
from pathlib import Path

import pytest

from greencode_lsp import paths
from greencode_lsp.doctor import check_cache
from greencode_lsp.paths import fallback_folder, kept_path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache that cannot be written: a file is in its place. Temporary files go to an empty folder."""
    cache, temporary = tmp_path / "cache", tmp_path / "temporary"
    cache.write_text("a file where a folder is needed")
    temporary.mkdir()
    monkeypatch.setenv("GREENCODE_CACHE", str(cache))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(paths, "_told", set())
    return cache


def test_files_of_a_cache_that_cannot_be_written_go_to_the_users_own_temporary_folder(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = kept_path(cache / "packed" / "model.safetensors")
    fallback = fallback_folder()
    assert fallback is not None
    assert kept == fallback / "packed" / "model.safetensors"
    assert kept_path(cache / "costs" / "costs.json").parent.name == "costs"
    (warning,) = caplog.messages
    assert str(cache) in warning
    assert "GREENCODE_CACHE" in warning
    check = check_cache()
    assert not check.ok
    assert str(cache) in check.detail
    assert "GREENCODE_CACHE" in check.fix


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a folder that not even root can write to")
def test_what_lies_in_a_folder_that_cannot_be_written_is_still_read(cache: Path) -> None:
    assert kept_path(Path("/proc/version")) == Path("/proc/version")
    assert kept_path(Path("/proc/other")) != Path("/proc/other")


def test_a_cache_that_can_be_written_is_used(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.unlink()
    assert kept_path(cache / "packed" / "model.safetensors") == cache / "packed" / "model.safetensors"
    assert caplog.messages == []
    assert check_cache().ok


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
@pytest.mark.parametrize("taken", ["a link", "a file", "open to others"])
def test_a_temporary_folder_that_somebody_else_may_write_to_is_not_used(
    cache: Path, tmp_path: Path, taken: str
) -> None:
    folder = tmp_path / "temporary" / f"greencode-{os.getuid()}"
    if taken == "a link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    elif taken == "a file":
        folder.write_text("")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    assert fallback_folder() is None
    assert kept_path(cache / "packed" / "model.safetensors") == cache / "packed" / "model.safetensors"
