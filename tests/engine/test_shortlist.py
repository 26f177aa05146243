"""Exits that choose among a part of the vocabulary, and the exit at full depth that comes with it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from greencode_lsp.engine import EarlyExitModel, EngineError, Request, Runner, Session, generate, load_backbone
from greencode_lsp.engine.backbone import Backbone, apply, normalise
from greencode_lsp.engine.cuda import CudaRunner
from greencode_lsp.engine.drafts.exits import DRAFT_CAP
from greencode_lsp.engine.exits import ExitHead, exits_metadata, load_exits
from greencode_lsp.engine.shortlist import ROOM, words_of
from greencode_lsp.policy import Confidence, FixedExit, NeverExit, Policy, RandomExit
from tests.engine.conftest import VOCABULARY, Twins, save_exits
from tests.engine.test_exits import EXITS, random_heads
from tests.engine.test_invariants import EagerDrafting

pytestmark = pytest.mark.usefixtures("one_thread")

LAYERS = 6

SHORTLIST = torch.randperm(VOCABULARY, generator=torch.Generator().manual_seed(3))[:70]


def shortlisted_heads(runner: Runner, ids: Tensor = SHORTLIST) -> dict[int, ExitHead]:
    heads = random_heads(runner.shape)
    heads[LAYERS] = ExitHead(plain(runner).weights.final_norm)
    return {depth: replace(head, shortlist=ids) for depth, head in heads.items()}


def plain(runner: Runner) -> Backbone:
    backbone = runner._plain if isinstance(runner, CudaRunner) else runner
    assert isinstance(backbone, Backbone)
    return backbone


def shortlisted(runner: Runner, ids: Tensor = SHORTLIST) -> EarlyExitModel:
    return EarlyExitModel(runner, (*EXITS, LAYERS), shortlisted_heads(runner, ids))


@pytest.fixture(params=["plain", "static"])
def model(twins: Twins, request: pytest.FixtureRequest) -> EarlyExitModel:
    runner = load_backbone(twins.folder)
    return shortlisted(runner if request.param == "plain" else CudaRunner(runner))


def said(model: EarlyExitModel, prompt: list[int], policy: Policy, tokens: int = 20, verify: bool = False):
    session = Session(model)
    session.drafting = EagerDrafting(model)
    return generate(session, Request(prompt, tokens, policy, verify=verify))


@pytest.mark.parametrize("depth", [2, 5, LAYERS])
@torch.inference_mode()
def test_an_exit_says_the_best_of_its_shortlist_and_the_text(
    model: EarlyExitModel, prompt: list[int], depth: int
) -> None:
    generation = said(model, prompt, FixedExit(depth))
    backbone, ids = plain(model.backbone), list(prompt)
    head = model.heads[depth]
    for token in generation.tokens:
        hidden = backbone.embed(ids, 0)
        hidden = backbone.run_layers(range(depth), hidden, 0, backbone.new_cache(depth))[-1:]
        states = normalise(backbone.shape, backbone.translate(head, hidden), head.norm)
        logits = apply(backbone.weights.head, states)[0]
        read = torch.tensor([*SHORTLIST.tolist(), *model.words_of(prompt)])
        assert token.id == int(read[logits[read].argmax()])
        assert (token.exit_layer, token.shortlisted) == (depth, True)
        ids.append(token.id)


def test_full_depth_reads_the_whole_head(model: EarlyExitModel, twins: Twins, prompt: list[int]) -> None:
    generation = said(model, prompt, NeverExit())
    assert [token.id for token in generation.tokens] == twins.greedy(prompt, 20)
    assert not any(token.shortlisted for token in generation.tokens)
    assert not set(twins.greedy(prompt, 20)) <= set(SHORTLIST.tolist()), "the shortlist must not hold all of the text"


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy",
    [FixedExit(2), FixedExit(LAYERS), RandomExit(0.5, seed=2), Confidence(0.2)],
    ids=["first exit", "full depth", "random", "confidence"],
)
def test_verified_drafts_from_a_shortlist_say_what_full_depth_says(
    model: EarlyExitModel, twins: Twins, prompt: list[int], policy: Policy
) -> None:
    for tokens in (1, 2, 7, 20):
        found = said(model, prompt, policy, tokens, verify=True)
        assert [token.id for token in found.tokens] == twins.greedy(prompt, tokens)


def test_drafts_at_full_depth_run_no_layer_twice(twins: Twins, prompt: list[int]) -> None:
    """With the whole vocabulary as the shortlist every draft is right: then only the head is verified, many at once."""
    model = shortlisted(load_backbone(twins.folder), torch.arange(VOCABULARY))
    generation = said(model, prompt, FixedExit(LAYERS), 16, verify=True)
    rows = sum(round(layers) * count for (layers, each), count in generation.work.layer_runs.items() if each == 1)
    assert rows < 17 * LAYERS + 16 * model.shortlist_layers(model.last - 1) + 1
    assert all(token.shortlisted for token in generation.tokens)
    assert sum(generation.work.head_runs.values()) == 2  # 16 tokens, verified in eights
    assert set(generation.work.head_runs) == {DRAFT_CAP}


def test_rows_that_wait_behind_full_depth_cost_nothing_later(model: EarlyExitModel, prompt: list[int]) -> None:
    session = Session(model)
    early = generate(session, Request(prompt, 6, FixedExit(LAYERS)))
    later = generate(session, Request([*prompt, *(token.id for token in early.tokens)], 1))
    fresh = generate(Session(model), Request([*prompt, *(token.id for token in early.tokens)], 1))
    assert [token.id for token in later.tokens] == [token.id for token in fresh.tokens]
    assert all(layers > 0 for layers, _ in later.work.layer_runs)
    assert sum(rows * count for (_, rows), count in later.work.layer_runs.items()) == len(model.segments) - 1


def test_a_shortlist_is_charged_by_its_bytes_and_not_as_the_head(model: EarlyExitModel, prompt: list[int]) -> None:
    work = said(model, prompt, FixedExit(LAYERS), 5).work
    assert not work.head_runs
    layer_bytes, head_bytes = model.backbone.layer_bytes(0), model.backbone.head_bytes()
    share = model.shortlist_layers(model.last - 1)
    assert share == pytest.approx(head_bytes / layer_bytes * len(SHORTLIST) / VOCABULARY)
    assert work.layer_runs[share, 1] == 5


def test_only_allowed_tokens_come_in_the_shortlist_or_not(model: EarlyExitModel, prompt: list[int]) -> None:
    inside = {*SHORTLIST.tolist(), *model.words_of(prompt)}
    outside = torch.tensor([id for id in range(VOCABULARY) if id not in inside][:5])
    request = Request(prompt, 3, FixedExit(5), allowed=lambda ids: outside if not ids else None)
    tokens = generate(Session(model), request).tokens
    assert tokens[0].id in outside.tolist()
    assert not tokens[0].shortlisted
    assert {token.id for token in tokens[1:]} <= inside


def test_words_of_a_text_are_those_that_are_not_listed() -> None:
    assert words_of([9, 4, 7, 9, 5, 8], {4, 5}) == (7, 8, 9)
    assert words_of([9, 4], None) == ()
    many = range(2 * ROOM)
    assert words_of(many, set()) == tuple(many[ROOM:]), "of too many the latest"


@pytest.mark.parametrize("depth", [2, LAYERS])
@torch.inference_mode()
def test_an_exit_also_reads_the_words_of_the_text(model: EarlyExitModel, depth: int) -> None:
    """What a text's words are changes what an exit says, there and back, and never what full depth says."""
    runner, segment = plain(model.backbone), [*EXITS, LAYERS].index(depth)
    hidden = torch.randn(5, runner.shape.hidden_size, generator=torch.Generator().manual_seed(depth))
    logits = model.read(segment, hidden)
    outside = [id for id in range(VOCABULARY) if id not in set(SHORTLIST.tolist())]
    best = logits[:, outside].argmax(dim=1)
    for texts in (outside[:20], [], [outside[int(best[0])]], outside, outside[3:4]):
        words = model.words_of([*SHORTLIST[:9].tolist(), *texts])
        ids = torch.tensor([*SHORTLIST.tolist(), *words])
        found, probabilities = model.likeliest(segment, hidden, words)
        assert torch.equal(found, ids[logits[:, ids].argmax(dim=1)])
        torch.testing.assert_close(probabilities, logits[:, ids].softmax(dim=1).amax(dim=1))
        assert torch.equal(model.likeliest(model.last, hidden, words)[0], runner.logits(hidden).argmax(dim=1))
    assert set(words) <= set(outside)


def test_words_come_from_the_prompt(model: EarlyExitModel, prompt: list[int]) -> None:
    outside = sorted(set(prompt) - set(SHORTLIST.tolist()))
    assert outside, "the prompt must hold words that are not listed"
    generation = said(model, prompt, FixedExit(LAYERS))
    read = {token.id for token in generation.tokens}
    assert read <= {*SHORTLIST.tolist(), *outside}
    assert read & set(outside), "or nothing is shown"


def test_exits_share_one_part_of_the_head(twins: Twins) -> None:
    backbone = load_backbone(twins.folder)
    shortlisted(backbone)
    assert len(backbone._parts) == 1


def test_a_shortlist_survives_its_file(twins: Twins, tmp_path: Path) -> None:
    shape, heads = twins.backbone.shape, shortlisted_heads(twins.backbone)
    save_exits(tmp_path / "exits.safetensors", heads, shape, "some weights")
    loaded = load_exits(tmp_path / "exits.safetensors", shape, "some weights", dtype=torch.bfloat16)
    assert list(loaded) == [*EXITS, LAYERS]
    for head in loaded.values():
        assert head.shortlist is not None
        assert torch.equal(head.shortlist, SHORTLIST)


@pytest.mark.parametrize(
    "ids",
    [[], [1, 1], [-1, 2], [5, VOCABULARY], [[1, 2]]],
    ids=["nothing", "a token twice", "below", "beyond the vocabulary", "a matrix"],
)
def test_a_shortlist_that_cannot_be_is_refused(twins: Twins, tmp_path: Path, ids: list) -> None:
    path, shape = tmp_path / "exits.safetensors", twins.backbone.shape
    heads = shortlisted_heads(twins.backbone)
    save_exits(path, heads, shape)
    tensors = {**load_file(path), "shortlist": torch.tensor(ids, dtype=torch.int32)}
    save_file(tensors, path, metadata=exits_metadata(heads, shape))
    with pytest.raises(EngineError, match="shortlist that does not name different tokens") as caught:
        load_exits(path, shape)
    assert "\n" not in str(caught.value)


def test_without_a_shortlist_there_is_no_exit_at_full_depth(twins: Twins, tmp_path: Path) -> None:
    heads = {depth: replace(head, shortlist=None) for depth, head in shortlisted_heads(twins.backbone).items()}
    with pytest.raises(EngineError, match="must rise strictly and lie between 1 and 5"):
        EarlyExitModel(twins.backbone, (*EXITS, LAYERS), heads)
    with pytest.raises(EngineError, match="must rise strictly and lie between 1 and 5"):
        EarlyExitModel(twins.backbone, (*EXITS, LAYERS))
    save_exits(tmp_path / "exits.safetensors", heads, twins.backbone.shape)
    with pytest.raises(EngineError, match="they must lie between 1 and 5"):
        load_exits(tmp_path / "exits.safetensors", twins.backbone.shape)
