"""The default model, its layers as training left them, on the packed runner."""

import random
from pathlib import Path

import pytest
import torch

from greencode_lsp.completion.tokenizer import CodeTokenizer
from greencode_lsp.engine import EarlyExitModel, Request, Session, generate
from greencode_lsp.engine.adapters import adapters_beside
from greencode_lsp.engine.exits import EXITS_FILE
from greencode_lsp.engine.packed import PackedBackbone, load_packed
from greencode_lsp.models import find_bundle
from greencode_lsp.policy import FixedExit, NeverExit, Policy, RandomExit
from tests.engine.test_invariants import EagerDrafting
from tests.engine.test_packed import REASON

EXITS = (6, 12, 18, 24)

pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)


@pytest.fixture(scope="module")
def default_model(default_bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> EarlyExitModel:
    adapters = adapters_beside(find_bundle("smollm2-135m").folder / EXITS_FILE)
    return EarlyExitModel(load_packed(default_bundle_folder, tmp_path_factory.mktemp("store"), adapters), EXITS)


def text(session: Session, prompt: list[int], tokens: int, policy: Policy, verify: bool = False) -> list[int]:
    session.drafting = EagerDrafting(session.model)
    return [token.id for token in generate(session, Request(prompt, tokens, policy, verify)).tokens]


@pytest.fixture(scope="module")
def prompt(default_bundle_folder: Path) -> list[int]:
    source = Path(random.__file__).read_text(encoding="utf-8")
    return CodeTokenizer.load(default_bundle_folder).encode(source)[:400]


def test_verified_drafts_of_the_default_model_are_full_depth_to_the_token(
    default_model: EarlyExitModel, prompt: list[int]
) -> None:
    expected = text(Session(default_model), prompt, 48, NeverExit())
    for policy in (FixedExit(24), FixedExit(6), RandomExit(0.5, seed=1)):
        assert text(Session(default_model), prompt, 48, policy, verify=True) == expected


def test_a_warm_session_of_the_default_model_changes_nothing(default_model: EarlyExitModel, prompt: list[int]) -> None:
    rng, session = random.Random(4), Session(default_model)
    for _ in range(12):
        current = prompt[: rng.randrange(20, 400)]
        if rng.random() < 0.5:
            del current[rng.randrange(len(current) - 1)]
        policy = FixedExit(rng.choice((6, 12, 24, 30)))
        assert text(session, current, 6, policy) == text(Session(default_model), current, 6, policy)


def test_the_default_model_is_packed_in_four_bits_with_a_head_of_eight(default_model: EarlyExitModel) -> None:
    runner = default_model.backbone
    assert isinstance(runner, PackedBackbone)
    bits = {each.weight.bits for layer in runner.weights.layers for each in (layer.qkv, layer.mlp_in, layer.mlp_out)}
    assert bits == {4}
    assert runner.weights.head.weight.bits == 8


def test_the_most_likely_token_of_the_default_model_is_that_of_the_logits(
    default_model: EarlyExitModel, prompt: list[int]
) -> None:
    """The choice among 3,072 blocks of tokens goes by a coarse copy of the head, and must not miss the right one."""
    session = Session(default_model)
    session.feed(prompt)
    for segment in range(len(default_model.segments)):
        hidden = session.run(segment)
        assert torch.equal(
            default_model.most_likely(segment, hidden), default_model.read(segment, hidden).argmax(dim=1)
        )
