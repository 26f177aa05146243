"""Drafts from the text itself: what is guessed, when, and that the text stays what it would be without them."""

import random
from contextlib import suppress
from dataclasses import replace

import pytest
import torch

from greencode_lsp.engine import Cancelled, Finish, Request, Session, generate
from greencode_lsp.engine.lookup import DRAFTS, EXPECTED, LONGEST_MATCH, LookupRecord, PromptLookup
from greencode_lsp.policy import FixedExit, NeverExit, Policy, RandomExit, Reading, Verdict
from tests.engine.conftest import VOCABULARY, Twins

CHEAP, DEAR = 0.1, 0.4
"""What a further row costs with AVX-512, and with AVX2."""


def guesses(tokens: list[int], limit: int = DRAFTS) -> list[int]:
    return PromptLookup(LookupRecord(0.0), tokens).drafts(limit)


def test_what_followed_the_longest_match_is_guessed():
    assert guesses([1, 2, 3, 4, 5, 9, 2, 3, 7, 7, 7, 1, 2, 3]) == [4, 5, 9]


def test_of_equal_matches_the_latest_is_taken():
    assert guesses([1, 2, 4, 4, 4, 1, 2, 5, 5, 5, 1, 2]) == [5, 5, 5]


def test_a_text_that_goes_round_is_guessed_to_go_on():
    assert guesses([8, 9, 8, 9, 8]) == [9, 8, 9]
    assert guesses([8, 8]) == [8, 8, 8]


@pytest.mark.parametrize("tokens", [[5], [1, 2, 3, 4]])
def test_a_token_that_never_stood_there_before_is_no_guide(tokens):
    assert guesses(tokens) == []


def test_no_more_is_guessed_than_there_is_room_for():
    assert [guesses([1, 2, 3, 4, 5, 1], limit) for limit in (0, 1, 2, 9)] == [[], [2], [2, 3], [2, 3, 4]]


def test_guesses_that_are_always_wrong_are_given_up_and_tried_again_later():
    lookup = PromptLookup(LookupRecord(CHEAP), [1, 2, 3, 4, 1])
    made = []
    for _ in range(200):
        made.append(bool(lookup.drafts(DRAFTS)))
        if made[-1]:
            lookup.judged(0, True, 1.0)
    assert made[0]
    assert 0 < sum(made[100:]) < 20
    assert False in made[:40]


def test_a_long_match_is_trusted_where_short_ones_disappointed():
    record = LookupRecord(CHEAP)
    for _ in range(200):
        record.judged(1, 0, True, 1.0)
    assert not record.guesses(1)
    assert record.guesses(LONGEST_MATCH) == DRAFTS
    assert list(EXPECTED) == sorted(EXPECTED)


class Oracle(PromptLookup):
    """Guesses what full depth will say, but every third token wrong."""

    says: tuple[int, ...] = ()
    given = 0
    wrong = True

    def drafts(self, limit: int) -> list[int]:
        done = len(self._tokens) - type(self).given
        ahead = self.says[done : done + min(limit, DRAFTS)]
        return [
            (id + 1) % VOCABULARY if self.wrong and (done + index) % 3 == 2 else id for index, id in enumerate(ahead)
        ]

    def judged(self, right: int, wrong: bool, price: float) -> None:
        """Learn nothing."""


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("wrong", [False, True], ids=["right", "some wrong"])
@pytest.mark.parametrize(
    ("policy", "verify"),
    [(NeverExit(), False), (NeverExit(), True), (FixedExit(2), True), (RandomExit(0.5, seed=1), True)],
    ids=["full depth", "nothing else drafts", "an exit drafts", "exits draft"],
)
def test_the_text_is_that_of_full_depth(
    twins: Twins, prompt: list[int], policy: Policy, verify: bool, wrong: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = twins.greedy(prompt, 40)
    monkeypatch.setattr("greencode_lsp.engine.decoder.PromptLookup", Oracle)
    monkeypatch.setattr(Oracle, "says", tuple(twins.greedy(prompt, 44)))
    monkeypatch.setattr(Oracle, "given", len(prompt))
    monkeypatch.setattr(Oracle, "wrong", wrong)
    for tokens in (1, 2, 5, 40):
        session = Session(twins.model)
        generation = generate(session, Request(prompt, tokens, policy, verify, lookup=True))
        assert [token.id for token in generation.tokens] == expected[:tokens]
        assert generation.finish is Finish.MAX_TOKENS
        copied = sum(token.copied for token in generation.tokens)
        assert copied >= (tokens - 1) // 2
        assert verify or all(rows <= DRAFTS + 1 for _, rows in generation.work.layer_runs if rows < len(prompt))
        again = generate(session, Request([*prompt, *expected[:tokens]], 1, NeverExit()))
        assert [token.id for token in again.tokens] == twins.greedy([*prompt, *expected[:tokens]], 1)


@pytest.mark.usefixtures("one_thread")
def test_a_copied_token_that_ends_the_text_ends_it(
    twins: Twins, prompt: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = twins.greedy(prompt, 12)
    monkeypatch.setattr("greencode_lsp.engine.decoder.PromptLookup", Oracle)
    monkeypatch.setattr(Oracle, "says", tuple(expected))
    monkeypatch.setattr(Oracle, "given", len(prompt))
    monkeypatch.setattr(Oracle, "wrong", False)
    ends = Request(prompt, 12, NeverExit(), lookup=True, stop=lambda ids: len(ids) == 2)
    assert [token.id for token in generate(Session(twins.model), ends).tokens] == expected[:2]
    must = torch.tensor([7])
    bound = Request(prompt, 12, NeverExit(), lookup=True, allowed=lambda ids: must if len(ids) == 1 else None)
    generation = generate(Session(twins.model), bound)
    assert generation.tokens[1].id == 7
    follows = twins.greedy([*prompt, expected[0], 7], 3)
    assert [token.id for token in generation.tokens][2:5] == follows


@pytest.mark.usefixtures("one_thread")
def test_guesses_stop_where_the_context_ends(twins: Twins) -> None:
    context = twins.model.backbone.shape.context_length
    prompt = [5, 6] * (context // 2 - 2)
    generation = generate(Session(twins.model), Request(prompt, 50, NeverExit(), lookup=True))
    assert generation.finish is Finish.CONTEXT_FULL
    assert [token.id for token in generation.tokens] == twins.greedy(prompt, len(generation.tokens))
    assert len(prompt) + len(generation.tokens) == context + 1


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("wrong", [False, True], ids=["right", "some wrong"])
@pytest.mark.parametrize("layer", [2, 5])
def test_behind_an_exit_the_text_is_that_of_the_exit(
    twins: Twins, prompt: list[int], layer: int, wrong: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = generate(Session(twins.model), Request(prompt, 44, FixedExit(layer)))
    expected = [token.id for token in alone.tokens]
    monkeypatch.setattr("greencode_lsp.engine.decoder.PromptLookup", Oracle)
    monkeypatch.setattr(Oracle, "says", tuple(expected))
    monkeypatch.setattr(Oracle, "given", len(prompt))
    monkeypatch.setattr(Oracle, "wrong", wrong)
    for tokens in (1, 2, 5, 40):
        session = Session(twins.model)
        generation = generate(session, Request(prompt, tokens, FixedExit(layer), lookup=True))
        assert [token.id for token in generation.tokens] == expected[:tokens]
        assert {token.exit_layer for token in generation.tokens} == {layer}
        assert sum(token.copied for token in generation.tokens) >= (tokens - 1) // 2
        assert all(segment.length == 0 for segment in session.segments[-1:])
        again = generate(session, Request([*prompt, *expected[:tokens]], 1, NeverExit()))
        assert [token.id for token in again.tokens] == twins.greedy([*prompt, *expected[:tokens]], 1)


class ExitsBySign:
    """Exits where the first number of the state is positive."""

    def decide(self, reading: Reading) -> Verdict:
        """Look at the state alone."""
        return Verdict.EXIT if reading.hidden[0] > 0 else Verdict.CONTINUE


@pytest.mark.usefixtures("one_thread")
def test_every_token_is_read_where_the_policy_would_leave(
    twins: Twins, prompt: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greencode_lsp.engine.decoder.PromptLookup", Oracle)
    monkeypatch.setattr(Oracle, "says", tuple(twins.greedy(prompt, 44)))
    monkeypatch.setattr(Oracle, "given", len(prompt))
    monkeypatch.setattr(Oracle, "wrong", False)
    tokens = generate(Session(twins.model), Request(prompt, 40, ExitsBySign(), lookup=True)).tokens
    forced = Session(twins.model)
    forced.feed([*prompt, *(token.id for token in tokens[:-1])])
    states = {twins.model.depth(segment): (segment, forced.run(segment)) for segment in range(4)}
    assert len({token.exit_layer for token in tokens}) > 1
    for place, token in enumerate(tokens, start=len(prompt) - 1):
        segment, hidden = states[token.exit_layer]
        assert token.exit_layer == twins.model.layers or hidden[place, 0] > 0
        assert token.id == int(twins.model.read(segment, hidden[place : place + 1]).argmax())


@pytest.mark.usefixtures("one_thread")
def test_what_earlier_texts_taught_changes_no_text(twins: Twins) -> None:
    rng, warm = random.Random(3), Session(twins.model)
    for _ in range(16):
        few = rng.sample(range(3, VOCABULARY), 4)
        request = Request(rng.choices(few, k=30), 16, ExitsBySign(), lookup=True)
        looks = iter(range(rng.randrange(12)))
        with suppress(Cancelled):
            generate(warm, replace(request, cancelled=lambda left=looks: next(left, None) is None))
        expected = generate(Session(twins.model), request).tokens
        assert [token.id for token in generate(warm, request).tokens] == [token.id for token in expected]


class GivesUpAt:
    """Exits at once, and gives up at a state."""

    def __init__(self, state: torch.Tensor) -> None:
        self.state = state

    def decide(self, reading: Reading) -> Verdict:
        """Compare the states."""
        return Verdict.STOP if torch.allclose(reading.hidden, self.state, atol=1e-3) else Verdict.EXIT


@pytest.mark.usefixtures("one_thread")
def test_a_policy_may_give_up_behind_a_copied_token(
    twins: Twins, prompt: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = generate(Session(twins.model), Request(prompt, 12, FixedExit(2)))
    expected = [token.id for token in alone.tokens]
    monkeypatch.setattr("greencode_lsp.engine.decoder.PromptLookup", Oracle)
    monkeypatch.setattr(Oracle, "says", tuple(expected))
    monkeypatch.setattr(Oracle, "given", len(prompt))
    monkeypatch.setattr(Oracle, "wrong", False)
    forced = Session(twins.model)
    forced.feed([*prompt, *expected[:2]])
    gives_up = GivesUpAt(forced.run(0)[-1])
    generation = generate(Session(twins.model), Request(prompt, 12, gives_up, lookup=True))
    assert generation.finish is Finish.GAVE_UP
    assert [token.id for token in generation.tokens] == expected[:2]
    assert all(token.copied for token in generation.tokens)


def test_where_tokens_are_cheaper_than_runs_a_run_must_bring_more():
    record = LookupRecord(CHEAP)
    assert record.guesses(1)
    for _ in range(200):
        record.paid(0.6)
    assert not record.guesses(1)
    assert record.guesses(LONGEST_MATCH) == DRAFTS
    for _ in range(200):
        record.judged(2, 3, False, 0.6)  # runs end as early as tokens
    assert record.guesses(1)
    for _ in range(200):
        record.paid(1.0)
    assert record.guesses(1)


def test_where_rows_are_dear_less_is_guessed():
    record = LookupRecord(DEAR)
    counts = [record.guesses(match) for match in range(1, LONGEST_MATCH + 1)]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (1, DRAFTS)
    assert not LookupRecord(1.0).guesses(1)


def test_a_run_that_the_text_ended_in_says_nothing_of_the_guesses_behind():
    record = LookupRecord(DEAR)
    before = record.guesses(3)
    for _ in range(200):
        record.judged(3, 1, False, 1.0)
    assert before < record.guesses(3) == DRAFTS
