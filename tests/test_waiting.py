"""Waits end when they are in vain, and not before."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests import waiting
from tests.waiting import Patience, cpu_seconds

Start = Callable[[str], psutil.Process]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python programs and end them with the test."""
    started = []

    def start(code: str) -> psutil.Process:
        started.append(subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return psutil.Process(started[-1].pid)

    yield start
    for program in started:
        program.kill()
        program.communicate()


@pytest.fixture(autouse=True)
def sample_at_every_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOKS_BETWEEN_SAMPLES", 1)
    monkeypatch.setattr(waiting, "waited_in_vain", [])


def test_a_wait_for_a_process_that_stands_still_ends(start: Start) -> None:
    sleeping = start("input()")
    sleeping.suspend()
    patience = Patience("it is done", lambda: [sleeping])
    with pytest.raises(AssertionError, match="in vain until it is done: none of the processes computes"):
        for _ in range(2 * waiting.STILL_SAMPLES):
            patience.look_again()


def test_a_wait_for_processes_that_have_ended_ends(start: Start) -> None:
    ended = start("")
    ended.wait()
    patience = Patience("it is done", lambda: [ended])
    patience.look_again()
    with pytest.raises(AssertionError, match="no process is left"):
        patience.look_again()


def test_a_wait_goes_on_while_a_process_computes_but_not_for_ever(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "STILL_SAMPLES", 3)
    busy = start("while True: pass")
    patience = Patience("it is done", lambda: [busy])
    for _ in range(8):
        before = cpu_seconds(busy)
        while cpu_seconds(busy) == before:
            pass
        patience.look_again()
    monkeypatch.setattr(waiting, "HANG_SECONDS", 0)
    with pytest.raises(AssertionError, match="the processes go on"):
        patience.look_again()


def test_after_a_wait_in_vain_others_are_shorter(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = start("while True: pass")
    patience = Patience("it is done", lambda: [busy])
    monkeypatch.setattr(waiting, "SECONDS_AFTER_A_FAILURE", 0)
    patience.look_again()
    waiting.waited_in_vain.append("another thing")
    with pytest.raises(AssertionError, match="the processes go on"):
        patience.look_again()
