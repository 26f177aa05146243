"""A short, seeded part of `make fuzz`, with the ordinary kernel; and whether the fuzzer sees what it looks for."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import mutations
from tests.fuzz.cases import KINDS, Case
from tests.fuzz.fuzzer import TRAFFIC, Forker, Fuzzer
from tests.fuzz.run import Schedule
from tests.fuzz.verdicts import judge

SEED = 0

ATTEMPTS = 30

CASE = Case(Path(), "complete", Path(), "llama", "nothing")


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Fuzzer:
    made = Fuzzer(tmp_path_factory.mktemp("fuzz") / "out", SEED, {})
    made.prepare()
    return made


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    process = Forker({})
    yield process
    process.close()


def test_nothing_that_is_mutated_hurts(fuzzer: Fuzzer, forker: Forker) -> None:
    schedule = Schedule(minutes=float("inf"), attempts=ATTEMPTS, kinds=tuple(KINDS))
    while (dealt := schedule.next()) is not None:
        fuzzer.attempt(forker, *dealt)
    assert fuzzer.results.faults == []
    assert sum(sum(counts.values()) for counts in fuzzer.results.counts.values()) == ATTEMPTS
    assert fuzzer.results.counts["folder"]["refused"] > 0


@pytest.mark.slow
def test_a_server_survives_nonsense_and_answers_as_ever(
    fuzzer: Fuzzer, forker: Forker, default_bundle_folder: Path
) -> None:
    assert fuzzer.attempt(forker, TRAFFIC, 1).right, fuzzer.results.faults


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_attempt_is_the_same_again(kind: str, fuzzer: Fuzzer, tmp_path: Path) -> None:
    made = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        made.append(KINDS[kind](fuzzer.seeds, folder, Random("7")).mutation)
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("status", "stopped", "stderr", "name"),
    [
        (-signal.SIGSEGV, "", "", "signal 11"),
        (-signal.SIGKILL, "time", "", "hang"),
        (-signal.SIGKILL, "memory", "", "memory"),
        (70, "", "Traceback (most recent call last):\n  File\nKeyError: 'x'\n", "traceback"),
        (1, "", "greencode: one\nthread '<unnamed>' panicked at onig\n", "traceback"),
        (1, "", "==1==ERROR: AddressSanitizer: heap-buffer-overflow\n", "sanitizer"),
        (1, "", "kernel.c:3:4: runtime error: signed integer overflow\n", "sanitizer"),
        (1, "", "WARNING: costs\ngreencode: x is wrong\n", "refused"),
        (1, "", "greencode: x is\nwrong\n", "not one line"),
        (1, "", "", "not one line"),
        (3, "", "", "status 3"),
    ],
)
def test_each_end_has_its_verdict(status: int, stopped: str, stderr: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "stderr").write_text(stderr, encoding="utf-8")
    case = Case(tmp_path, "complete", tmp_path, "llama", "nothing")
    assert judge(case, {"status": status, "stopped": stopped, "seconds": 1}, {}).name == name


@pytest.mark.parametrize(
    ("found", "same", "name"),
    [
        ({"full": [1], "exact": "a"}, (), "same"),
        ({"full": [2], "exact": "a"}, (), "other model"),
        ({"full": [2], "exact": "a"}, ("exact",), "other model"),
        ({"full": [1], "exact": "b"}, ("exact",), "silent other text"),
    ],
)
def test_a_text_is_compared_where_it_must_not_change(
    found: dict[str, object], same: tuple[str, ...], name: str, tmp_path: Path
) -> None:
    (tmp_path / "stdout").write_text(json.dumps(found), encoding="utf-8")
    case = Case(tmp_path, "complete", tmp_path, "llama", "nothing", same)
    assert judge(case, {"status": 0, "stopped": "", "seconds": 1}, {"full": [1], "exact": "a"}).name == name


@pytest.mark.parametrize("number", range(30))
def test_mutations_change_something(number: int) -> None:
    content = json.dumps({"a": [1, 2, {"b": "text"}], "c": None}).encode()
    changed = sum(mutations.mutate_json(content, Random(number * 100 + again)) != content for again in range(20))
    assert changed > 10
