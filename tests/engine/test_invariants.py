"""The engine's invariants on small random models of every family, in float32, against transformers."""

import random
from contextlib import suppress
from dataclasses import replace

import pytest
import torch

from greencode_lsp.engine import Cancelled, EarlyExitModel, EngineError, NumericalError, Request, Session, generate
from greencode_lsp.engine.backbone import Backbone, load_backbone
from greencode_lsp.engine.drafts.exits import DRAFT_CAP, Drafting
from greencode_lsp.policy import Confidence, FixedExit, NeverExit, Policy, RandomExit
from tests.engine.conftest import VOCABULARY, Twins

pytestmark = pytest.mark.usefixtures("one_thread")

POLICIES: dict[str, Policy] = {
    "never": NeverExit(),
    "first exit": FixedExit(2),
    "last exit": FixedExit(5),
    "random": RandomExit(0.5, seed=1),
    "confidence": Confidence(0.5),
}


class EagerDrafting(Drafting):
    """Drafts as much as it may, whether it pays or not: what verification must be able to bear."""

    def limit(self) -> int:
        return DRAFT_CAP


def text(session: Session, prompt: list[int], tokens: int = 24, policy: Policy | None = None, verify: bool = False):
    request = Request(prompt, tokens, policy or NeverExit(), verify=verify)
    session.drafting = EagerDrafting(session.model)
    return [token.id for token in generate(session, request).tokens]


def test_full_depth_says_what_transformers_generate_says(twins: Twins, prompt: list[int]) -> None:
    expected = twins.greedy(prompt, 40)
    assert text(Session(twins.model), prompt, tokens=40) == expected
    assert len(set(expected)) >= 8  # a text that repeats itself would prove little


def test_logits_are_those_of_transformers(twins: Twins, prompt: list[int]) -> None:
    session = Session(twins.model)
    session.feed(prompt)
    with torch.inference_mode():
        for segment in range(len(twins.model.segments)):
            hidden = session.run(segment)
        expected = twins.reference(torch.tensor([prompt])).logits[0]
        torch.testing.assert_close(twins.model.read(twins.model.last, hidden), expected, atol=1e-3, rtol=1e-4)


def test_a_prompt_of_several_chunks_gives_the_same_text(twins: Twins) -> None:
    prompt = torch.randint(3, VOCABULARY, (600,), generator=torch.Generator().manual_seed(9)).tolist()
    assert text(Session(twins.model), prompt) == twins.greedy(prompt, 24)


@pytest.mark.parametrize("name", POLICIES)
def test_verified_drafts_say_what_full_depth_says(twins: Twins, prompt: list[int], name: str) -> None:
    expected = twins.greedy(prompt, 40)
    for tokens in (1, 2, 7, 40):
        assert text(Session(twins.model), prompt, tokens, POLICIES[name], verify=True) == expected[:tokens]


def test_agreeing_drafts_are_kept_at_the_depth_they_were_read(twins: Twins, prompt: list[int]) -> None:
    """With layers that add nothing behind exit 2, every draft agrees: the case random models hardly ever reach."""
    weights = twins.backbone.weights
    silent = [silenced(layer) for layer in weights.layers[2:]]
    backbone = Backbone(twins.backbone.shape, replace_layers(weights, (*weights.layers[:2], *silent)))
    model = EarlyExitModel(backbone, (2, 3, 5))
    session = Session(model)
    session.drafting = EagerDrafting(model)
    drafted = generate(session, Request(prompt, 30, FixedExit(2), verify=True))
    assert [token.id for token in drafted.tokens] == text(Session(model), prompt, 30)
    assert [token.exit_layer for token in drafted.tokens] == [2] * 30


@pytest.mark.parametrize("name", POLICIES)
def test_after_a_flush_keys_and_values_are_those_of_one_prefill(twins: Twins, prompt: list[int], name: str) -> None:
    session = Session(twins.model)
    text(session, prompt, 30, POLICIES[name])
    for index in range(len(twins.model.segments)):
        if len(session.segments[index].queue):
            session.run(index)
    with torch.inference_mode():
        expected = twins.reference(torch.tensor([session.tokens]), use_cache=True).past_key_values
    for segment, layers in zip(session.segments, twins.model.segments, strict=True):
        assert segment.length == len(session.tokens)
        for keys, values, layer in zip(segment.cache.keys, segment.cache.values, layers, strict=True):
            torch.testing.assert_close(keys[:, : segment.length], expected.layers[layer].keys[0], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(
                values[:, : segment.length], expected.layers[layer].values[0], atol=1e-4, rtol=1e-4
            )


@pytest.mark.parametrize("verify", [False, True])
def test_a_warm_session_changes_nothing_after_any_edits(twins: Twins, prompt: list[int], verify: bool) -> None:
    rng = random.Random(7)
    session = Session(twins.model)
    current = list(prompt)
    for _ in range(20):
        place = rng.randrange(len(current) + 1)
        match rng.choice(["insert", "delete", "accept", "jump"]):
            case "insert":
                current[place:place] = [rng.randrange(3, VOCABULARY) for _ in range(rng.randrange(1, 4))]
            case "delete":
                current = current[:place] + current[place + 3 :] or [5]
            case "accept":
                current += text(Session(twins.model), current, 3)
            case _:
                current = current[: max(place, 1)]
        policy = FixedExit(rng.choice((2, 3, 5, 6)))
        warm = text(session, current, 8, policy, verify)
        assert warm == text(Session(twins.model), current, 8, policy, verify)


def test_a_warm_session_feeds_only_what_is_new(twins: Twins, prompt: list[int]) -> None:
    session = Session(twins.model)
    first = generate(session, Request(prompt, 5))
    assert (first.prompt_rows, first.reused_rows) == (40, 0)
    accepted = [*prompt, *(token.id for token in first.tokens)]
    again = generate(session, Request(accepted, 5))
    assert (again.prompt_rows, again.reused_rows) == (1, 44)


@pytest.mark.parametrize("layer", [2, 3, 5])
def test_exiting_at_one_depth_is_the_truncated_model(twins: Twins, prompt: list[int], layer: int) -> None:
    shape, weights = twins.backbone.shape, twins.backbone.weights
    truncated = Backbone(shape_with_layers(shape, layer), replace_layers(weights, weights.layers[:layer]))
    session = Session(twins.model)
    generation = generate(session, Request(prompt, 20, FixedExit(layer)))
    assert [token.id for token in generation.tokens] == text(Session(EarlyExitModel(truncated)), prompt, 20)
    for segment, layers in zip(session.segments, twins.model.segments, strict=True):
        assert (segment.length > 0) == (layers.stop <= layer)
    assert sum(count * layers * rows for (layers, rows), count in generation.work.layer_runs.items()) == layer * 59


@pytest.mark.parametrize("verify", [False, True])
def test_cancelling_anywhere_and_asking_again_gives_the_same_text(
    twins: Twins, prompt: list[int], verify: bool
) -> None:
    expected = text(Session(twins.model), prompt, 12, FixedExit(3), verify)
    for looks in range(0, 40, 3):
        session, left = Session(twins.model), iter(range(looks))
        request = Request(prompt, 12, FixedExit(3), verify, cancelled=lambda left=left: next(left, None) is None)
        with suppress(Cancelled):
            generate(session, request)
        assert text(session, prompt, 12, FixedExit(3), verify) == expected


def test_a_nan_is_reported_and_not_decoded(twins: Twins, prompt: list[int]) -> None:
    session = Session(twins.model)
    text(session, prompt, 3)
    session.segments[1].cache.values = session.segments[1].cache.values.clone().fill_(torch.nan)
    with pytest.raises(NumericalError, match="after layer 3"):
        text(session, [*prompt, 9], 3)


def test_stop_rules_and_limits_end_the_text_where_full_depth_would(twins: Twins, prompt: list[int]) -> None:
    expected = twins.greedy(prompt, 30)
    wanted = expected[11]
    cut = expected.index(wanted) + 1
    for verify in (False, True):
        policy = RandomExit(0.5, seed=3) if verify else NeverExit()
        request = Request(prompt, 30, policy, verify, stop=lambda ids: ids[-1] == wanted)
        generation = generate(Session(twins.model), request)
        assert [token.id for token in generation.tokens] == expected[:cut]
        assert generation.finish.value == "stop rule"


def test_only_allowed_tokens_are_chosen(twins: Twins, prompt: list[int]) -> None:
    allowed = torch.tensor([7, 8, 9])
    for verify in (False, True):
        request = Request(
            prompt,
            6,
            RandomExit(0.5),
            verify,
            allowed=lambda ids: allowed if len(ids) < 2 else None,
        )
        tokens = [token.id for token in generate(Session(twins.model), request).tokens]
        assert set(tokens[:2]) <= {7, 8, 9}
        if verify:
            assert tokens[2:] == twins.greedy([*prompt, *tokens[:2]], 4)


def test_the_text_ends_where_the_context_does(twins: Twins) -> None:
    prompt = torch.randint(3, VOCABULARY, (697,), generator=torch.Generator().manual_seed(2)).tolist()
    for verify in (False, True):
        generation = generate(Session(twins.model), Request(prompt, 30, RandomExit(0.5), verify))
        assert generation.finish.value == "context full"
        assert len(generation.tokens) == 4
    with pytest.raises(EngineError, match="exceed the context of 700"):
        generate(Session(twins.model), Request([5] * 701, 3))


def test_an_empty_prompt_is_refused(twins: Twins) -> None:
    with pytest.raises(EngineError, match="prompt is empty"):
        generate(Session(twins.model), Request([], 3))


@pytest.mark.parametrize("exits", [(3, 3), (5, 2), (0, 2), (2, 6)])
def test_exits_outside_the_model_are_refused(twins: Twins, exits: tuple[int, ...]) -> None:
    with pytest.raises(EngineError, match="must rise strictly and lie between 1 and 5"):
        EarlyExitModel(twins.model.backbone, exits)


def test_half_precision_loads_and_decodes(twins: Twins, prompt: list[int]) -> None:
    model = EarlyExitModel(load_backbone(twins.folder, dtype=torch.bfloat16), (2, 3, 5))
    assert len(text(Session(model), prompt, 10, FixedExit(3), verify=True)) == 10


def shape_with_layers(shape, layers: int):
    return replace(shape, layers=layers)


def replace_layers(weights, layers):
    return replace(weights, layers=tuple(layers))


def silenced(layer):
    """Return the layer with outputs of zero, so that its residual stream passes through."""
    zero = {
        name: replace(
            getattr(layer, name),
            weight=torch.zeros_like(getattr(layer, name).weight),
            bias=None,
        )
        for name in ("attention_out", "mlp_out")
    }
    return replace(layer, **zero)
