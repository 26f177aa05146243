"""Guesses that cost no layer: what is guessed, when, and that the text stays what it would be without them."""

import random
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch

from greencode_lsp.engine import Cancelled, EarlyExitModel, Finish, Generation, Request, Session, generate
from greencode_lsp.engine.drafts.drafter import DraftChain
from greencode_lsp.engine.drafts.guessing import (
    EXPECTED_OF_MATCHES,
    EXPECTED_OF_TABLE,
    GUESSES,
    RELIABLE,
    Guesser,
    GuessRecord,
)
from greencode_lsp.engine.drafts.lookup import LONGEST_MATCH
from greencode_lsp.engine.drafts.ngrams import CERTAIN, Ngrams, NgramTable
from greencode_lsp.policy import FixedExit, NeverExit, Policy, RandomExit, Reading, Verdict
from tests.engine.conftest import VOCABULARY, Twins

CHEAP, DEAR = 0.1, 0.4
"""What a further row costs, as a share of the first, with AVX-512 and with AVX2."""

LONG = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 1, 2, 3, 4, 5, 6, 7, 8]
"""Ends with eight tokens that stood there before."""


def prices(further_row: float) -> list[float]:
    return [1 + further_row * rows for rows in range(GUESSES + 1)]


def guesses(tokens: list[int], limit: int = GUESSES, table: NgramTable | None = None, price: float = 0.0) -> list[int]:
    return Guesser(GuessRecord(prices(price)), tokens, table).guesses(limit)


def table_of(following: dict[tuple[int, ...], tuple[int, float]], vocabulary: int = 100) -> NgramTable:
    """A table of what follows runs, and how likely."""
    runs = {}
    for length in {len(run) for run in following}:
        entries = sorted((run, *found) for run, found in following.items() if len(run) == length)
        digits = vocabulary ** np.arange(length)[::-1]
        listed, next_ones, likely = zip(*entries, strict=True)
        in_bytes = (np.array(likely) * CERTAIN).astype(np.uint8)
        runs[length] = Ngrams(np.array(listed) @ digits, np.array(next_ones), in_bytes)
    return NgramTable(vocabulary, runs)


def test_what_followed_the_longest_match_is_guessed():
    assert guesses([1, 2, 3, 4, 5, 9, 2, 3, 7, 7, 7, 1, 2, 3], 3) == [4, 5, 9]


def test_of_equal_matches_the_latest_is_taken():
    assert guesses([1, 2, 4, 4, 4, 1, 2, 5, 5, 5, 1, 2], 3) == [5, 5, 5]


def test_a_text_that_goes_round_is_guessed_to_go_on():
    assert guesses([8, 9, 8, 9, 8], 3) == [9, 8, 9]
    assert guesses([8, 8], 3) == [8, 8, 8]


@pytest.mark.parametrize("tokens", [[5], [1, 2, 3, 4]])
def test_a_token_that_never_stood_there_before_is_no_guide(tokens):
    assert guesses(tokens) == []


def test_no_more_is_guessed_than_there_is_room_for():
    tokens = [*range(1, 10), 1]
    assert [guesses(tokens, limit) for limit in (0, 1, 2, 9)] == [[], [2], [2, 3], [*range(2, 2 + GUESSES)]]


def test_a_table_guesses_what_the_text_has_not_said():
    table = table_of({(1,): (2, 0.9), (2,): (3, 0.9), (1, 2): (4, 0.8), (7, 1, 2): (5, 0.7), (4,): (9, 0.05)})
    assert guesses([1], table=table) == [2, 4]
    assert guesses([7, 1], table=table) == [2, 5]
    assert guesses([9, 2], table=table) == [3]
    assert guesses([8], table=table) == []


def test_the_text_is_believed_before_a_table_where_more_than_one_token_matches():
    table = table_of({(1,): (5, 0.99), (2,): (6, 0.99), (3,): (7, 0.99)})
    assert guesses([2, 3, 4, 4, 2, 3], 1, table) == [4]
    assert guesses([9, 3, 4, 4, 2, 3], 1, table) == [7]
    unsure = table_of({(3,): (7, 0.21)})
    assert guesses([9, 3, 4, 4, 2, 3], 1, unsure) == [4]
    assert RELIABLE == 2


def test_guesses_that_are_not_likely_enough_are_not_made():
    table = table_of({(1,): (2, 0.95), (2,): (3, 0.5), (3,): (4, 0.95)})
    assert guesses([1], table=table, price=CHEAP) == [2, 3, 4]
    assert guesses([1], table=table, price=DEAR) == [2]
    assert guesses([2], table=table, price=1.0) == []


def test_guesses_that_are_always_wrong_are_given_up_and_tried_again_later():
    guesser = Guesser(GuessRecord(prices(CHEAP)), [1, 2, 3, 4, 1])
    made = []
    for _ in range(200):
        made.append(bool(guesser.guesses(GUESSES)))
        if made[-1]:
            guesser.judged(0, True, 1.0)
    assert made[0]
    assert 0 < sum(made[100:]) < 20
    assert False in made[:40]


def test_each_kind_of_guess_learns_by_itself():
    record = GuessRecord(prices(CHEAP))
    short, long, listed = record.of_match(1), record.of_match(LONGEST_MATCH), record.of_table(0.95)
    before = [record.likely(kind) for kind in (short, long, listed)]
    for _ in range(200):
        record.judged([long, short, listed], 1, True, 1.0)
    after = [record.likely(kind) for kind in (short, long, listed)]
    assert after[0] < 0.01 and after[1] > 0.99
    assert after[2] == before[2], "what stands behind a wrong guess was not asked"
    assert len({record.of_table(likely / 100) for likely in range(10, 101)}) == len(EXPECTED_OF_TABLE)


def test_what_is_surer_is_expected_to_be_right_more_often():
    assert list(EXPECTED_OF_MATCHES) == sorted(EXPECTED_OF_MATCHES)
    assert list(EXPECTED_OF_TABLE) == sorted(EXPECTED_OF_TABLE)


class Oracle(Guesser):
    """Guesses what full depth will say, but every third token wrong."""

    says: tuple[int, ...] = ()
    given = 0
    wrong = True

    def guesses(self, limit: int, chain: DraftChain | None = None) -> list[int]:
        done = len(self._lookup.tokens) - type(self).given
        ahead = self.says[done : done + min(limit, GUESSES)]
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
    monkeypatch.setattr("greencode_lsp.engine.decoder.Guesser", Oracle)
    monkeypatch.setattr(Oracle, "says", tuple(twins.greedy(prompt, 48)))
    monkeypatch.setattr(Oracle, "given", len(prompt))
    monkeypatch.setattr(Oracle, "wrong", wrong)
    for tokens in (1, 2, 5, 40):
        session = Session(twins.model)
        generation = generate(session, Request(prompt, tokens, policy, verify, guessing=True))
        assert [token.id for token in generation.tokens] == expected[:tokens]
        assert generation.finish is Finish.MAX_TOKENS
        guessed = sum(token.guessed for token in generation.tokens)
        assert guessed >= (tokens - 1) // 2
        assert verify or all(rows <= GUESSES + 1 for _, rows in generation.work.layer_runs if rows < len(prompt))
        again = generate(session, Request([*prompt, *expected[:tokens]], 1, NeverExit()))
        assert [token.id for token in again.tokens] == twins.greedy([*prompt, *expected[:tokens]], 1)


@pytest.mark.usefixtures("one_thread")
def test_a_guessed_token_that_ends_the_text_ends_it(
    twins: Twins, prompt: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = twins.greedy(prompt, 12)
    monkeypatch.setattr("greencode_lsp.engine.decoder.Guesser", Oracle)
    monkeypatch.setattr(Oracle, "says", tuple(expected))
    monkeypatch.setattr(Oracle, "given", len(prompt))
    monkeypatch.setattr(Oracle, "wrong", False)
    ends = Request(prompt, 12, NeverExit(), guessing=True, stop=lambda ids: len(ids) == 2)
    assert [token.id for token in generate(Session(twins.model), ends).tokens] == expected[:2]
    must = torch.tensor([7])
    bound = Request(prompt, 12, NeverExit(), guessing=True, allowed=lambda ids: must if len(ids) == 1 else None)
    generation = generate(Session(twins.model), bound)
    assert generation.tokens[1].id == 7
    follows = twins.greedy([*prompt, expected[0], 7], 3)
    assert [token.id for token in generation.tokens][2:5] == follows


@pytest.mark.usefixtures("one_thread")
def test_guesses_stop_where_the_context_ends(twins: Twins) -> None:
    context = twins.model.backbone.shape.context_length
    prompt = [5, 6] * (context // 2 - 2)
    generation = generate(Session(twins.model), Request(prompt, 50, NeverExit(), guessing=True))
    assert generation.finish is Finish.CONTEXT_FULL
    assert [token.id for token in generation.tokens] == twins.greedy(prompt, len(generation.tokens))
    assert len(prompt) + len(generation.tokens) == context + 1


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("wrong", [False, True], ids=["right", "some wrong"])
@pytest.mark.parametrize("layer", [2, 5])
def test_behind_an_exit_the_text_is_that_of_the_exit(
    twins: Twins, prompt: list[int], layer: int, wrong: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = generate(Session(twins.model), Request(prompt, 48, FixedExit(layer)))
    expected = [token.id for token in alone.tokens]
    monkeypatch.setattr("greencode_lsp.engine.decoder.Guesser", Oracle)
    monkeypatch.setattr(Oracle, "says", tuple(expected))
    monkeypatch.setattr(Oracle, "given", len(prompt))
    monkeypatch.setattr(Oracle, "wrong", wrong)
    for tokens in (1, 2, 5, 40):
        session = Session(twins.model)
        generation = generate(session, Request(prompt, tokens, FixedExit(layer), guessing=True))
        assert [token.id for token in generation.tokens] == expected[:tokens]
        assert {token.exit_layer for token in generation.tokens} == {layer}
        assert sum(token.guessed for token in generation.tokens) >= (tokens - 1) // 2
        assert all(segment.length == 0 for segment in session.segments[-1:])
        again = generate(session, Request([*prompt, *expected[:tokens]], 1, NeverExit()))
        assert [token.id for token in again.tokens] == twins.greedy([*prompt, *expected[:tokens]], 1)


class ExitsBySign:
    """Exits where the first number of the state is positive."""

    def decide(self, reading: Reading) -> Verdict:
        """Look at the state alone."""
        return Verdict.EXIT if reading.hidden[0] > 0 else Verdict.CONTINUE


class ReadsBySign(ExitsBySign):
    """Has the token read there, and exits where it is likely enough."""

    def __init__(self, likely_enough: float) -> None:
        self.likely_enough = likely_enough

    def decide(self, reading: Reading) -> Verdict:
        """Look at the state, and then at the token."""
        if reading.probability is None:
            return Verdict.READ if super().decide(reading) is Verdict.EXIT else Verdict.CONTINUE
        return Verdict.EXIT if reading.probability >= self.likely_enough else Verdict.CONTINUE


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("reads", [False, True], ids=["the state decides", "and the token read there"])
def test_every_token_is_read_where_the_policy_would_leave(
    twins: Twins, prompt: list[int], reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, policy, likely_enough = twins.model, ExitsBySign(), 0.0
    if reads:
        early = [token for token in said(model, prompt, policy).tokens if token.exit_layer < model.layers]
        likely_enough = sorted(token.probability for token in early)[len(early) // 2]
        policy = ReadsBySign(likely_enough)
    monkeypatch.setattr("greencode_lsp.engine.decoder.Guesser", Oracle)
    monkeypatch.setattr(Oracle, "says", tuple(twins.greedy(prompt, 48)))
    monkeypatch.setattr(Oracle, "given", len(prompt))
    monkeypatch.setattr(Oracle, "wrong", False)
    tokens = said(model, prompt, policy, guessing=True).tokens
    forced = Session(model)
    forced.feed([*prompt, *(token.id for token in tokens[:-1])])
    states = {model.depth(segment): (segment, forced.run(segment)) for segment in range(4)}
    assert len({token.exit_layer for token in tokens}) > 1
    for place, token in enumerate(tokens, start=len(prompt) - 1):
        segment, hidden = states[token.exit_layer]
        at_full_depth = token.exit_layer == model.layers
        assert at_full_depth or (hidden[place, 0] > 0 and token.probability >= likely_enough)
        assert token.id == int(model.read(segment, hidden[place : place + 1]).argmax())
        assert all(states[depth][1][place, 0] > 0 for depth in token.read_in_vain)
    assert any(token.read_in_vain for token in tokens) == reads


@pytest.mark.usefixtures("one_thread")
def test_a_token_that_was_read_in_vain_is_charged_for(twins: Twins, prompt: list[int]) -> None:
    generation = said(twins.model, prompt, ReadsBySign(2.0))
    read = [token.read_in_vain for token in generation.tokens]
    assert {token.exit_layer for token in generation.tokens} == {twins.model.layers}
    assert any(read)
    assert generation.work.head_runs == {1: len(read) + sum(map(len, read))}


def said(model: EarlyExitModel, prompt: list[int], policy: Policy, guessing: bool = False) -> Generation:
    return generate(Session(model), Request(prompt, 40, policy, guessing=guessing))


@pytest.mark.usefixtures("one_thread")
def test_what_earlier_texts_taught_changes_no_text(twins: Twins) -> None:
    rng, warm = random.Random(3), Session(twins.model)
    for _ in range(16):
        few = rng.sample(range(3, VOCABULARY), 4)
        request = Request(rng.choices(few, k=30), 16, ExitsBySign(), guessing=True)
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
def test_a_policy_may_give_up_behind_a_guessed_token(
    twins: Twins, prompt: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = generate(Session(twins.model), Request(prompt, 12, FixedExit(2)))
    expected = [token.id for token in alone.tokens]
    monkeypatch.setattr("greencode_lsp.engine.decoder.Guesser", Oracle)
    monkeypatch.setattr(Oracle, "says", tuple(expected))
    monkeypatch.setattr(Oracle, "given", len(prompt))
    monkeypatch.setattr(Oracle, "wrong", False)
    forced = Session(twins.model)
    forced.feed([*prompt, *expected[:2]])
    gives_up = GivesUpAt(forced.run(0)[-1])
    generation = generate(Session(twins.model), Request(prompt, 12, gives_up, guessing=True))
    assert generation.finish is Finish.GAVE_UP
    assert [token.id for token in generation.tokens] == expected[:2]
    assert all(token.guessed for token in generation.tokens)


def test_where_tokens_are_cheaper_than_runs_a_run_must_bring_more():
    once, often = [1, 2, 3, 4, 1], LONG
    record = GuessRecord(prices(CHEAP))
    assert Guesser(record, once).guesses(GUESSES)
    for _ in range(200):
        record.paid(0.6)
    assert not Guesser(record, once).guesses(GUESSES)
    assert len(Guesser(record, often).guesses(GUESSES)) == GUESSES
    for _ in range(200):
        record.judged([], 0, False, 0.6)  # runs end as early as tokens
    assert Guesser(record, once).guesses(GUESSES)
    for _ in range(200):
        record.paid(1.0)
    assert Guesser(record, once).guesses(GUESSES)


def test_where_rows_are_dear_less_is_guessed():
    cheap, dear = (len(guesses([1, 2, 3, 4, 5, 6, 7, 1, 2], price=price)) for price in (0.05, DEAR))
    assert 0 < dear < cheap
    assert len(guesses(LONG, price=DEAR)) > dear
    assert not guesses(LONG[:9], price=1.0)


def test_a_row_that_costs_next_to_nothing_is_used():
    record = GuessRecord([1.0, 1.02, 1.4, 1.8, 2.2, 2.6])
    assert len(Guesser(record, [1, 2, 3, 4, 1]).guesses(GUESSES)) == 1
    assert len(Guesser(record, LONG).guesses(GUESSES)) == 2


def test_a_run_that_the_text_ended_in_says_nothing_of_the_guesses_behind():
    record = GuessRecord(prices(DEAR))
    kind, behind = record.of_match(3), record.of_match(4)
    before = record.likely(behind)
    record.judged([kind, behind], 1, False, 1.0)
    assert record.likely(behind) == before
    assert record.likely(kind) > EXPECTED_OF_MATCHES[2]


@pytest.mark.usefixtures("one_thread")
def test_a_model_with_a_table_says_the_same_with_fewer_runs(twins: Twins, prompt: list[int]) -> None:
    expected = twins.greedy(prompt, 30)
    text = [*prompt, *expected]
    knows = {tuple(text[place - 3 : place]): (text[place], 1.0) for place in range(len(prompt), len(text))}
    model = twins.model
    for verify in (False, True):
        request = Request(prompt, 30, NeverExit(), verify, guessing=True)
        without = generate(Session(model), request)
        model.ngrams = table_of(knows, VOCABULARY)
        try:
            generation = generate(Session(model), request)
        finally:
            model.ngrams = None
        assert [token.id for token in generation.tokens] == expected
        assert [token.id for token in without.tokens] == expected
        assert sum(generation.work.layer_runs.values()) < sum(without.work.layer_runs.values())
