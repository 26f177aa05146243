"""The ledger says when somebody worked: only its owner may read it."""

import os
import stat
from pathlib import Path

import pytest

from greencode_lsp.energy.open_ledger import open_ledger
from tests.energy.test_ledger import entry

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions as on Linux and macOS")


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def open_mask() -> object:
    """Let new files be readable by everybody, as they are on many machines."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_new_ledger_its_log_and_its_folder_are_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "greencode" / "ledger.sqlite"
    ledger = open_ledger(path)
    ledger.record(entry("a"))
    assert modes(path.parent) == dict.fromkeys(("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"), 0o600)
    assert modes(tmp_path) == {"greencode": 0o700}
    ledger.close()


def test_a_ledger_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    first = open_ledger(path)
    first.record(entry("a"))
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    second = open_ledger(path)
    second.record(entry("b"))
    assert set(modes(tmp_path).values()) == {0o600}
    first.close()
    second.close()


def test_a_folder_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    open_ledger(tmp_path / "ledger.sqlite").close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
