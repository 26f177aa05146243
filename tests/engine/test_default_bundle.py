"""The engine's invariants on the real default model, in float32, against transformers."""

import contextlib

import torch
from pytest import fixture
from transformers import AutoModelForCausalLM, AutoTokenizer

from greencode_lsp.engine import Cancelled, EarlyExitModel, Request, Session, generate, load_backbone
from greencode_lsp.engine.adapters import adapters_beside
from greencode_lsp.engine.drafts.drafter import DRAFTER_FILE, load_drafter
from greencode_lsp.engine.exits import EXITS_FILE
from greencode_lsp.engine.identity import weights_identity
from greencode_lsp.models import find_bundle
from greencode_lsp.policy import FixedExit, NeverExit, RandomExit
from tests.engine.conftest import Twins

EXITS = (6, 12, 18, 24)

CODE = '''import json
from pathlib import Path


def read_settings(path: Path) -> dict:
    """Return the settings in a JSON file, or none where there is no such file."""
    if not path.exists():
        return {}
    with path.open() as stream:
'''


@fixture(scope="module")
def twins(default_bundle_folder) -> Twins:
    reference = AutoModelForCausalLM.from_pretrained(default_bundle_folder, dtype=torch.float32).eval()
    reference.generation_config.eos_token_id = None
    return Twins(reference, EarlyExitModel(load_backbone(default_bundle_folder), EXITS), default_bundle_folder)


@fixture(scope="module")
def prompt(default_bundle_folder) -> list[int]:
    return AutoTokenizer.from_pretrained(default_bundle_folder)(CODE)["input_ids"]


def text(session, prompt, tokens=32, policy=None, verify=False):
    request = Request(prompt, tokens, policy or NeverExit(), verify)
    return [token.id for token in generate(session, request).tokens]


def test_full_depth_says_what_transformers_generate_says(twins, prompt):
    assert text(Session(twins.model), prompt, 32) == twins.greedy(prompt, 32)


def test_verified_drafts_say_what_full_depth_says(twins, prompt):
    expected = twins.greedy(prompt, 32)
    for policy in (FixedExit(24), RandomExit(0.5, seed=2)):
        assert text(Session(twins.model), prompt, 32, policy, verify=True) == expected


def test_after_a_flush_keys_and_values_are_those_of_one_prefill(twins, prompt):
    session = Session(twins.model)
    text(session, prompt, 12, RandomExit(0.5, seed=5))
    for index in range(len(session.segments)):
        if len(session.segments[index].queue):
            session.run(index)
    with torch.inference_mode():
        expected = twins.reference(torch.tensor([session.tokens]), use_cache=True).past_key_values
    for segment, layers in zip(session.segments, twins.model.segments, strict=True):
        for keys, values, layer in zip(segment.cache.keys, segment.cache.values, layers, strict=True):
            kept = slice(segment.length)
            torch.testing.assert_close(keys[:, kept], expected.layers[layer].keys[0], atol=1e-3, rtol=1e-4)
            torch.testing.assert_close(values[:, kept], expected.layers[layer].values[0], atol=1e-3, rtol=1e-4)


def trained(folder):
    """Load the layers as training left them, in float32."""
    return load_backbone(folder, adapters=adapters_beside(find_bundle("smollm2-135m").folder / EXITS_FILE))


def test_its_last_twelve_layers_are_trained_and_the_others_as_they_were(twins, prompt):
    for layers, same in ((18, True), (19, False)):
        original, changed = (
            backbone.run_layers(range(layers), backbone.embed(prompt, 0), 0, backbone.new_cache(layers))
            for backbone in (twins.backbone, trained(twins.folder))
        )
        assert torch.equal(original, changed) == same


def test_the_drafter_that_ships_knows_what_full_depth_says_next(twins, prompt):
    bundle = find_bundle("smollm2-135m")
    backbone, identity = trained(twins.folder), weights_identity(twins.folder)
    drafter = backbone.drafter(load_drafter(bundle.folder / DRAFTER_FILE, backbone.shape, identity))
    hidden = backbone.run_layers(range(30), backbone.embed(prompt, 0), 0, backbone.new_cache(30))
    said, words = backbone.logits(hidden).argmax(dim=1).tolist(), tuple(sorted(set(prompt)))
    drafts = [drafter.draft(hidden[row : row + 1], prompt[row + 1], words) for row in range(len(prompt) - 1)]
    right = [draft.id == after for draft, after in zip(drafts, said[1:], strict=True)]
    further = [
        drafter.draft(draft.state, token, words).id == after
        for draft, token, after in zip(drafts, prompt[2:], said[2:], strict=False)
    ]
    assert sum(right) / len(right) > 0.35
    assert sum(further) / len(further) > 0.3
    surest = sorted(zip(drafts, right, strict=True), key=lambda one: -one[0].probability)[:10]
    assert sum(one for _, one in surest) >= 8


def test_a_warm_session_changes_nothing(twins, prompt):
    session = Session(twins.model)
    for current in (prompt[:50], prompt, [*prompt[:40], *prompt[45:]], prompt):
        for verify in (False, True):
            warm = text(session, current, 8, FixedExit(24), verify)
            assert warm == text(Session(twins.model), current, 8, FixedExit(24), verify)


def test_cancelling_and_asking_again_gives_the_same_text(twins, prompt):
    expected = text(Session(twins.model), prompt, 8)
    for looks in (0, 1, 3, 9, 21):
        session, left = Session(twins.model), iter(range(looks))
        with contextlib.suppress(Cancelled):
            generate(session, Request(prompt, 8, cancelled=lambda left=left: next(left, None) is None))
        assert text(session, prompt, 8) == expected
