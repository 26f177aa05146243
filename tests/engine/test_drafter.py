"""Drafts by a small network: what it is asked, what it computes, and that the text stays the one without it."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from greencode_lsp.completion.loading import load_network
from greencode_lsp.engine import EarlyExitModel, EngineError, Request, Session, generate
from greencode_lsp.engine.architecture import Architecture, Linear, plain_norm
from greencode_lsp.engine.backbone import Backbone
from greencode_lsp.engine.drafts.drafter import (
    DRAFTER_FILE,
    Draft,
    DraftNetwork,
    load_drafter,
    save_drafter,
)
from greencode_lsp.engine.drafts.guessing import (
    ASK_AGAIN,
    ASK_BELOW,
    EXPECTED_OF_BOTH,
    EXPECTED_OF_NETWORK,
    GUESSES,
    GuessRecord,
)
from greencode_lsp.engine.exits import ExitHead, Translator
from greencode_lsp.engine.identity import weights_identity
from greencode_lsp.engine.packed import KernelUnavailableError, load_packed
from greencode_lsp.models import find_bundle
from greencode_lsp.policy import FixedExit, NeverExit
from tests.engine.conftest import VOCABULARY, Twins

pytestmark = pytest.mark.usefixtures("one_thread")


def random_network(shape: Architecture, width: int = 64) -> DraftNetwork:
    generator, size = torch.Generator().manual_seed(5), shape.hidden_size

    def drawn(outputs: int, inputs: int) -> Linear:
        return Linear(torch.randn(outputs, inputs, generator=generator) * inputs**-0.5)

    rows = 2 * width if shape.gated else width
    translator = Translator(plain_norm(shape), drawn(rows, size), drawn(size, width))
    return DraftNetwork(
        drawn(size, size), drawn(size, size), ExitHead(plain_norm(shape), translator, torch.arange(3, 200))
    )


def kept(network: DraftNetwork, shape: Architecture, folder: Path) -> DraftNetwork:
    """Return a network as its file keeps it."""
    save_drafter(folder / DRAFTER_FILE, network, "these weights")
    return load_drafter(folder / DRAFTER_FILE, shape, "these weights")


def test_the_kernel_drafts_what_floats_draft(twins: Twins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        packed = load_packed(twins.folder, tmp_path)
    except KernelUnavailableError as error:
        pytest.skip(str(error))
    instructions = packed.description.split(", ")[-1]
    monkeypatch.setattr("greencode_lsp.engine.packed.backbone.PAYS_WITH", ())
    assert packed.drafter(random_network(packed.shape)) is None
    monkeypatch.setattr("greencode_lsp.engine.packed.backbone.PAYS_WITH", (instructions,))
    network = kept(random_network(packed.shape), packed.shape, tmp_path)
    drafters = [runner.drafter(network) for runner in (twins.backbone, packed)]
    states = [torch.randn(1, packed.shape.hidden_size, generator=torch.Generator().manual_seed(1))] * 2
    for token in (7, 250, 7):
        drafts = [drafter.draft(state, token, ()) for drafter, state in zip(drafters, states, strict=True) if drafter]
        states = [draft.state for draft in drafts]
        assert float((states[0] - states[1]).norm() / states[0].norm()) < 0.03
        assert drafts[0].probability == pytest.approx(drafts[1].probability, abs=0.1)
    assert all(drafter is not None and drafter.network_bytes and drafter.shortlist_bytes for drafter in drafters)


def test_words_of_a_text_are_drafted_beside_the_shortlist(twins: Twins) -> None:
    network = random_network(twins.backbone.shape)
    only = replace(network, head=replace(network.head, shortlist=torch.tensor([3])))
    drafter, everything = twins.backbone.drafter(only), twins.backbone.drafter(network)
    assert drafter is not None and everything is not None
    state = torch.randn(1, twins.backbone.shape.hidden_size, generator=torch.Generator().manual_seed(2))
    likeliest = everything.draft(state, 9, ()).id
    assert drafter.draft(state, 9, ()).id == 3
    assert drafter.draft(state, 9, (likeliest,)).id in (3, likeliest)
    assert drafter.draft(state, 9, ()).probability == pytest.approx(1.0)


@dataclass
class Knowing:
    """Drafts what full depth will say, and checks that it is asked with the state that chose the token."""

    backbone: Backbone
    says: list[int]
    given: int
    network_bytes: int = 1000
    shortlist_bytes: int = 0
    asked: int = 0
    next_place: int = 0

    def draft(self, state: Tensor, token: int, words: tuple[int, ...]) -> Draft:
        """Look up what comes behind the token; the made-up state carries where that stands."""
        self.asked += 1
        if state.shape[1] > 1:
            assert int(self.backbone.logits(state).argmax()) == token
            place = self.next_place
        else:
            place = int(state)
            assert self.says[place - 1] == token
        following = self.says[place] if place < len(self.says) else 0
        return Draft(following, 0.99, torch.tensor([[float(place + 1)]]))


@pytest.fixture
def knowing(twins: Twins, prompt: list[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Knowing]:
    found = Knowing(twins.backbone, twins.greedy(prompt, 30), len(prompt))
    monkeypatch.setattr(twins.model, "drafter", found)
    monkeypatch.setattr(twins.model, "draft_layers", 0.25)
    feed = Session.feed

    def feeding(session: Session, tokens: list[int]) -> None:
        feed(session, tokens)
        found.next_place = len(session.tokens) - found.given

    monkeypatch.setattr(Session, "feed", feeding)
    yield found


@pytest.mark.parametrize("verify", [False, True], ids=["full depth", "verified"])
def test_what_it_drafts_is_checked_in_few_runs(twins: Twins, prompt: list[int], knowing: Knowing, verify: bool) -> None:
    session = Session(twins.model)
    generation = generate(session, Request(prompt, 24, NeverExit(), verify, guessing=True))
    assert [token.id for token in generation.tokens] == knowing.says[:24]
    assert sum(token.guessed for token in generation.tokens) > 12
    assert generation.work.layer_runs[0.25, 1] == knowing.asked > 12
    runs = sum(count for (layers, rows), count in generation.work.layer_runs.items() if layers == 1 and rows <= 8)
    assert runs < 12 * len(twins.model.segments)


def test_it_is_not_asked_where_an_exit_chose_the_token(twins: Twins, prompt: list[int], knowing: Knowing) -> None:
    generate(Session(twins.model), Request(prompt, 12, FixedExit(2), guessing=True))
    assert knowing.asked == 0


def test_it_is_asked_where_nothing_likely_is_at_hand() -> None:
    record = GuessRecord([1.0 + 0.05 * rows for rows in range(GUESSES + 1)], ask_price=0.05)
    assert record.asks(0.0, 1.0) and record.asks(ASK_BELOW - 0.01, 1.0)
    assert not record.asks(ASK_BELOW, 1.0)
    for _ in range(100):
        record.asked(0.0)
    assert [record.asks(0.0, 1.0) for _ in range(2 * ASK_AGAIN)] == 2 * ([False] * (ASK_AGAIN - 1) + [True])
    for _ in range(100):
        record.asked(0.3)
    assert record.asks(0.0, 1.0)
    assert not record.asks(0.0, 0.1), "a guess that hardly any run gets as far as"


def test_what_it_is_surer_of_is_expected_to_be_right_more_often() -> None:
    record = GuessRecord([1.0])
    kinds = [[GuessRecord.of_network(likely / 100, at_hand) for likely in range(101)] for at_hand in (False, True)]
    for expected, some in zip((EXPECTED_OF_NETWORK, EXPECTED_OF_BOTH), kinds, strict=True):
        assert list(expected) == sorted(expected) == [record.likely(kind) for kind in dict.fromkeys(some)]
    assert all(both > alone for alone, both in zip(EXPECTED_OF_NETWORK, EXPECTED_OF_BOTH, strict=True))
    assert not {*kinds[0], *kinds[1]} & {GuessRecord.of_table(likely / 100) for likely in range(10, 101)}


def test_a_network_survives_its_file(twins: Twins, tmp_path: Path) -> None:
    network, shape = random_network(twins.backbone.shape), twins.backbone.shape
    found = kept(network, shape, tmp_path)
    assert network.head.shortlist is not None and found.head.shortlist is not None
    assert torch.equal(network.head.shortlist, found.head.shortlist)
    for before, after in ((network.of_state, found.of_state), (network.of_token, found.of_token)):
        assert float((before.weight - after.weight).norm() / before.weight.norm()) < 0.1
    with pytest.raises(EngineError, match="was trained on other weights"):
        load_drafter(tmp_path / DRAFTER_FILE, shape, "others")


def test_a_file_that_is_no_drafter_of_this_model_is_one_line(
    twins: Twins, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shape, path = twins.backbone.shape, tmp_path / DRAFTER_FILE
    bundle = replace(find_bundle("smollm2-135m"), folder=tmp_path)
    assert load_network(bundle, twins.folder, twins.backbone) is None
    path.write_bytes(b"nothing")
    with caplog.at_level(logging.WARNING):
        assert load_network(bundle, twins.folder, twins.backbone) is None
    assert "is not a readable drafter" in caplog.text
    save_drafter(path, random_network(replace(shape, hidden_size=8)), "")
    with pytest.raises(EngineError, match=r"has shape \[8, 8\], wanted "):
        load_drafter(path, shape)
    network = random_network(shape)
    strange = replace(network, head=replace(network.head, shortlist=torch.tensor([VOCABULARY])))
    save_drafter(path, strange, "")
    with pytest.raises(EngineError, match="does not name different tokens of this model"):
        load_drafter(path, shape)


def test_a_drafter_beside_weights_is_none_of_them(twins: Twins) -> None:
    before, path = weights_identity(twins.folder), twins.folder / DRAFTER_FILE
    save_drafter(path, random_network(twins.backbone.shape), "")
    try:
        assert weights_identity(twins.folder) == before
    finally:
        path.unlink()


def test_a_model_without_one_costs_nothing_to_ask(twins: Twins) -> None:
    model = EarlyExitModel(twins.backbone, (2,))
    assert model.drafter is None and model.draft_price == 0
    with_one = EarlyExitModel(twins.backbone, (2,), network=random_network(twins.backbone.shape))
    assert 0 < with_one.draft_price < 1
