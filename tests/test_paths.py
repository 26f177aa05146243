"""Where greencode keeps what it makes, when the cache cannot be written."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from greencode_lsp import paths
from greencode_lsp.doctor import check_cache

LOAD_KERNEL = "from greencode_lsp.engine.packed.library import load_library; load_library()"


@pytest.fixture
def unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache folder that nobody can make, for its parent is a file."""
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("GREENCODE_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "file" / "cache"


def test_what_is_made_is_kept_in_a_folder_of_the_user_where_the_cache_cannot_be_written(
    unwritable: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folders = [paths.made_folder(name) for name in ("packed", "costs", "packed")]
    assert [folder.name for folder in folders] == ["packed", "costs", "packed"]
    (stand_in,) = {folder.parent for folder in folders}
    assert stand_in.parent == tmp_path / "tmp"
    assert stand_in.stat().st_mode & 0o777 == 0o700
    (line,) = [record.getMessage() for record in caplog.records]
    assert str(unwritable) in line and "GREENCODE_CACHE" in line and str(stand_in) in line


def test_a_stand_in_that_others_may_write_is_not_used(unwritable: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp" / f"greencode-{os.getuid()}").mkdir(mode=0o777)
    (tmp_path / "tmp" / f"greencode-{os.getuid()}").chmod(0o777)
    assert paths.made_folder("kernels") == unwritable / "kernels"


def test_what_a_cache_holds_that_can_only_be_read_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache" / "costs").mkdir(parents=True)
    (tmp_path / "cache" / "costs" / "a.json").write_text("1")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("GREENCODE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(paths, "why_unwritable", lambda folder: "Read-only file system")
    assert (paths.made_folder("costs") / "a.json").read_text() == "1"


def test_the_kernel_is_not_compiled_again_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    environment = {**os.environ, "GREENCODE_CACHE": str(tmp_path / "file" / "cache"), "TMPDIR": str(tmp_path / "tmp")}
    subprocess.run([sys.executable, "-c", LOAD_KERNEL], env=environment, check=True)
    no_compiler = {**environment, "PATH": "", "CC": "none"}
    subprocess.run([sys.executable, "-c", LOAD_KERNEL], env=no_compiler, check=True)


def test_the_doctor_says_what_to_do(unwritable: Path) -> None:
    check = check_cache()
    assert not check.ok
    assert str(unwritable) in check.detail and "GREENCODE_CACHE" in check.fix
