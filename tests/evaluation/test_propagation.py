"""The paper's K/V against transformers' own projections, on a small random model."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from greencode_lsp.engine import EarlyExitModel, load_backbone
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.evaluation.runs.charging import reading_work, reading_works
from greencode_lsp.evaluation.runs.propagation import PropagatedText
from greencode_lsp.policy import Confidence, FixedExit, NeverExit, Verdict

EXITS = (2, 4)
PROMPT = [5, 17, 3, 88, 41, 9]


@pytest.fixture(scope="module")
def reference():
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.3,
        eos_token_id=None,
    )
    return LlamaForCausalLM(config).eval().float()


@pytest.fixture(scope="module")
def backbone(reference, tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    reference.save_pretrained(folder)
    return load_backbone(folder)


@pytest.fixture(scope="module")
def text(backbone):
    return lambda: PropagatedText(backbone, EarlyExitModel(backbone, EXITS))


@torch.inference_mode()
def test_without_exits_it_is_plain_greedy_decoding(reference, text):
    ours = text()
    ours.prefill(PROMPT)
    found: list[int] = []
    for _ in range(8):
        token, _ = ours.next(found[-1] if found else PROMPT[-1], NeverExit())
        found.append(token.id)
        assert token.exit_layer == 6
    ids = torch.tensor([PROMPT])
    theirs = reference.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False, pad_token_id=0
    )
    assert found == theirs[0, len(PROMPT) :].tolist()


@torch.inference_mode()
def test_layers_behind_an_exit_get_keys_and_values_of_the_exits_state(reference, text):
    ours = text()
    ours.prefill(PROMPT)
    token, _ = ours.next(PROMPT[-1], FixedExit(2))
    assert token.exit_layer == 2
    hidden = reference(torch.tensor([PROMPT]), output_hidden_states=True).hidden_states[2][:, -1:]  # behind layer 2
    assert token.id == int(reference.lm_head(reference.model.norm(hidden))[0, 0].argmax())
    place = len(PROMPT) - 1
    cos, sin = reference.model.rotary_emb(hidden, torch.tensor([[place]]))
    for layer in range(2, 6):
        module = reference.model.layers[layer]
        states = module.input_layernorm(hidden)
        key = module.self_attn.k_proj(states).view(1, 1, 2, 8).transpose(1, 2)
        value = module.self_attn.v_proj(states).view(1, 1, 2, 8).transpose(1, 2)
        key, _ = apply_rotary_pos_emb(key, key, cos, sin)
        segment, index = (1, layer - 2) if layer < 4 else (2, layer - 4)
        cache = ours._caches[segment]
        torch.testing.assert_close(cache.keys[index][:, place], key[0, :, 0])
        torch.testing.assert_close(cache.values[index][:, place], value[0, :, 0])


@torch.inference_mode()
def test_behind_an_exit_at_full_depth_there_is_nothing_to_copy(backbone, text):
    head = ExitHead(backbone.weights.final_norm, shortlist=torch.arange(0, 100, 2))
    with_shortlist, without = PropagatedText(backbone, EarlyExitModel(backbone, (2, 6), {6: head})), text()
    for ours in (with_shortlist, without):
        ours.prefill(PROMPT)
    token, _ = with_shortlist.next(PROMPT[-1], FixedExit(2))
    assert token.id == without.next(PROMPT[-1], FixedExit(2))[0].id
    token, _ = with_shortlist.next(token.id, FixedExit(6))
    assert token.exit_layer == 6
    assert token.id % 2 == 0 or token.id in PROMPT


@torch.inference_mode()
def test_a_token_that_was_read_in_vain_says_where_and_costs_that_too(backbone, text):
    ours, alone = text(), text()
    for each in (ours, alone):
        each.prefill(PROMPT)
    token, verdict = ours.next(PROMPT[-1], Confidence(1.0))
    assert (token.exit_layer, token.read_in_vain, verdict) == (6, EXITS, Verdict.EXIT)
    assert token.id == alone.next(PROMPT[-1], NeverExit())[0].id
    work = reading_work(reading_works(EarlyExitModel(backbone, EXITS)), token)
    assert work.head_runs == {1: 3}  # these exits are read as full depth is
    surely, _ = ours.next(token.id, Confidence(0.0))
    assert (surely.exit_layer, surely.read_in_vain) == (2, ())
