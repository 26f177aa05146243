"""How long to wait, on a clock that the test turns."""

import pytest

from greencode_lsp.server.rhythm import LONGEST_WAIT_SECONDS, SHORTEST_WAIT_SECONDS, Rhythm


def rhythm(interval: float, keys: int = 20, answer: float | None = None) -> Rhythm:
    now = [0.0]
    made = Rhythm(lambda: now[0])
    for _ in range(keys):
        made.typed()
        now[0] += interval
    for _ in range(3 if answer is not None else 0):
        made.answered(answer or 0.0)
    return made


def test_a_slow_typist_is_waited_for_longer() -> None:
    assert rhythm(0.1).wait_seconds("value") < rhythm(0.3).wait_seconds("value")
    assert rhythm(0.2).wait_seconds("value") == pytest.approx(0.25)


def test_in_a_word_the_wait_is_longest_and_on_a_new_line_shortest() -> None:
    typist = rhythm(0.2)
    waits = [typist.wait_seconds(prefix) for prefix in ("x = 1\n    ", "x = ", "x = val")]
    assert waits == sorted(waits)
    assert len(set(waits)) == 3
    assert rhythm(0.2).wait_seconds("") == waits[0]


def test_the_wait_is_as_long_as_an_answer_takes_but_no_longer_than_a_key() -> None:
    assert rhythm(0.2, answer=0.01).wait_seconds("x = ") == SHORTEST_WAIT_SECONDS
    assert rhythm(0.2, answer=0.1).wait_seconds("x = ") == pytest.approx(0.1)
    assert rhythm(0.2, answer=5.0).wait_seconds("x") == rhythm(0.2).wait_seconds("x")


def test_pauses_for_thought_and_a_few_keys_change_nothing() -> None:
    usual = Rhythm().wait_seconds("x")
    assert rhythm(30.0).wait_seconds("x") == usual
    assert rhythm(0.05, keys=3).wait_seconds("x") == usual


def test_the_wait_has_bounds() -> None:
    assert rhythm(0.001, answer=0.0).wait_seconds("\n") == SHORTEST_WAIT_SECONDS
    assert rhythm(0.9).wait_seconds("x") == LONGEST_WAIT_SECONDS
