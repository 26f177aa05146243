"""Work that one process does while others wait for it."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from greencode_lsp.preparation import one_at_a_time, where_idle
from tests.waiting import HANG_SECONDS

OWNER = """
import sys, time
from greencode_lsp.preparation import one_at_a_time

with one_at_a_time("work", "works"):
    print("has it", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GREENCODE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def owner() -> object:
    """Return a process that does the work, until its input ends."""
    process = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "has it\n"
    yield process
    process.kill()
    process.wait()


def test_who_comes_first_waits_for_nobody() -> None:
    told: list[str] = []
    with one_at_a_time("work", "works", told.append), where_idle("work") as idle, where_idle("other") as other:
        assert (idle, other) == (False, True)
    assert told == []


@pytest.mark.parametrize("ends", ["killed", "done"])
def test_others_are_told_what_they_wait_for_and_go_on_when_its_owner_ends(
    owner: subprocess.Popen[str], ends: str
) -> None:
    told, done = threading.Event(), threading.Event()

    def wait_for_it() -> None:
        def tell(what: str) -> None:
            assert what == "works"
            told.set()

        with one_at_a_time("work", "works", tell):
            done.set()

    thread = threading.Thread(target=wait_for_it)
    thread.start()
    assert told.wait(HANG_SECONDS)
    assert not done.is_set()
    assert owner.stdin is not None
    owner.kill() if ends == "killed" else owner.stdin.close()
    thread.join(HANG_SECONDS)
    assert done.is_set()


def test_nobody_waits_for_ever(owner: subprocess.Popen[str], caplog: pytest.LogCaptureFixture) -> None:
    with one_at_a_time("work", "works", lambda what: None, longest_seconds=0.1):
        assert "another greencode process works for more than" in caplog.text


def test_where_nothing_can_be_locked_everybody_works(cache: Path) -> None:
    cache.mkdir()
    (cache / "locks").write_text("in the way")
    with one_at_a_time("work", "works"), one_at_a_time("work", "works"), where_idle("work") as idle:
        assert not idle
