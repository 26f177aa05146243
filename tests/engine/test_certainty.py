"""How sure a layer was of each token, and texts that end where that is too little."""

import pytest
import torch

from greencode_lsp.engine import Finish, Request, Session, generate
from greencode_lsp.policy import FixedExit, NeverExit, Policy, RandomExit
from tests.engine.conftest import Twins

WAYS = {
    "full depth": (NeverExit(), False, False),
    "full depth, guessed": (NeverExit(), False, True),
    "an exit": (FixedExit(3), False, False),
    "an exit, guessed": (FixedExit(3), False, True),
    "exits draft": (RandomExit(0.5, seed=2), True, False),
    "exits draft, guessed": (RandomExit(0.5, seed=2), True, True),
}


@pytest.fixture
def prompt() -> list[int]:
    """Something that repeats itself, so that there is something to copy."""
    return [5, 6, 7, 8, 9, 10, 11, 12] * 5


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("policy", "verify", "guessing"), WAYS.values(), ids=WAYS)
def test_a_token_has_the_probability_that_its_layer_gave_it(
    twins: Twins, prompt: list[int], policy: Policy, verify: bool, guessing: bool
) -> None:
    model = twins.model
    tokens = generate(Session(model), Request(prompt, 24, policy, verify, guessing)).tokens
    forced = Session(model)
    forced.feed([*prompt, *(token.id for token in tokens[:-1])])
    states = {model.depth(segment): (segment, forced.run(segment)) for segment in range(len(model.segments))}
    for place, token in enumerate(tokens, start=len(prompt) - 1):
        segment, hidden = states[model.layers if verify else token.exit_layer]
        logits = model.read(segment, hidden[place : place + 1])[0].float()
        assert token.probability == pytest.approx(float(logits.softmax(dim=0)[token.id]), abs=2e-3)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("policy", "verify", "guessing"), WAYS.values(), ids=WAYS)
def test_a_text_ends_before_the_token_that_makes_it_too_uncertain(
    twins: Twins, prompt: list[int], policy: Policy, verify: bool, guessing: bool
) -> None:
    def decoded(least_certain: float) -> tuple[list[tuple[int, float]], Finish]:
        request = Request(prompt, 24, policy, verify, guessing, least_certain)
        generation = generate(Session(twins.model), request)
        return [(token.id, token.probability) for token in generation.tokens], generation.finish

    whole, finish = decoded(0.0)
    assert finish is Finish.MAX_TOKENS
    certainties = torch.tensor([probability for _, probability in whole]).cumprod(dim=0).tolist()
    for kept in (0, 1, 5, 12):
        if certainties[kept] > 0.999 * (certainties[kept - 1] if kept else 1.0):
            continue  # a sure token: no border here
        border = (certainties[kept] + (certainties[kept - 1] if kept else 1.0)) / 2
        shorter, finish = decoded(border)
        assert finish is Finish.UNCERTAIN
        assert [id for id, _ in shorter] == [id for id, _ in whole[:kept]]


@pytest.mark.usefixtures("one_thread")
def test_of_few_allowed_tokens_the_probability_is_among_those(twins: Twins, prompt: list[int]) -> None:
    few = torch.tensor([3, 9])
    (token,) = generate(Session(twins.model), Request(prompt, 1, NeverExit(), allowed=lambda ids: few)).tokens
    assert token.id in (3, 9)
    assert 0.5 <= token.probability <= 1.0
    only = torch.tensor([9])
    (token,) = generate(Session(twins.model), Request(prompt, 1, NeverExit(), allowed=lambda ids: only)).tokens
    assert (token.id, token.probability) == (9, 1.0)
