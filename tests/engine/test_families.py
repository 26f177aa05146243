"""How adapters read what families write in more than one way, and what they refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from greencode_lsp.engine import EngineError, load_backbone
from greencode_lsp.engine.families import family_of
from tests.engine.conftest import VOCABULARY, make_twins, random_gpt2, random_gpt_neox, random_mistral, random_qwen2

pytestmark = pytest.mark.usefixtures("one_thread")


def edit_config(folder: Path, **changes: Any) -> None:
    """Change keys of `config.json`; None removes one."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))


def rename_tensors(folder: Path, old: str, new: str) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    assert any(old in name for name in tensors)
    save_file({name.replace(old, new): tensor for name, tensor in tensors.items()}, path)


def logits(folder: Path) -> torch.Tensor:
    backbone = load_backbone(folder)
    with torch.inference_mode():
        hidden = backbone.embed(list(range(3, 40)), 0)
        layers = range(backbone.shape.layers)
        return backbone.logits(backbone.run_layers(layers, hidden, 0, backbone.new_cache(len(layers))))


def test_gpt2_loads_without_the_prefix_that_the_first_checkpoints_lack(tmp_path):
    make_twins(random_gpt2, tmp_path)
    expected = logits(tmp_path)
    rename_tensors(tmp_path, "transformer.", "")
    assert torch.equal(logits(tmp_path), expected)


def test_gpt_neox_loads_under_both_names_of_its_head(tmp_path):
    make_twins(random_gpt_neox, tmp_path)
    expected = logits(tmp_path)
    rename_tensors(tmp_path, "embed_out.", "lm_head.")
    assert torch.equal(logits(tmp_path), expected)


def test_gpt_neox_reads_rotary_settings_as_pythia_writes_them(tmp_path):
    make_twins(random_gpt_neox, tmp_path)
    expected = logits(tmp_path)
    edit_config(tmp_path, rope_parameters=None, rotary_pct=0.5, rotary_emb_base=5000)
    assert torch.equal(logits(tmp_path), expected)
    edit_config(tmp_path, rotary_pct=None)
    assert not torch.allclose(logits(tmp_path), expected)


def test_gpt_neox_runs_attention_before_the_mlp_where_the_model_does(tmp_path):
    def random_sequential() -> Any:
        model = random_gpt_neox()
        model.config.use_parallel_residual = False
        for layer in model.gpt_neox.layers:
            layer.use_parallel_residual = False
        return model

    twins = make_twins(random_sequential, tmp_path)
    with torch.inference_mode():
        expected = twins.reference(torch.arange(3, 40)[None]).logits[0]
    torch.testing.assert_close(logits(tmp_path), expected, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(("window", "context"), [(None, 700), (256, 256), (4096, 700)])
def test_a_sliding_window_bounds_the_context(tmp_path, window, context):
    make_twins(random_mistral, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"sliding_window": window}
    assert family_of(config).read_architecture(config).context_length == context


def test_within_its_window_a_model_says_what_transformers_says(tmp_path):
    def random_windowed() -> Any:
        model = random_mistral()
        model.config.sliding_window = 48
        return model

    twins = make_twins(random_windowed, tmp_path)
    prompt = torch.randint(3, VOCABULARY, (48,), generator=torch.Generator().manual_seed(1)).tolist()
    backbone = load_backbone(tmp_path)
    assert backbone.shape.context_length == 48
    with torch.inference_mode():
        hidden = backbone.run_layers(range(6), backbone.embed(prompt, 0), 0, backbone.new_cache(6))
        expected = twins.reference(torch.tensor([prompt])).logits[0]
        torch.testing.assert_close(backbone.logits(hidden), expected, atol=1e-3, rtol=1e-4)


def test_a_window_over_some_layers_is_refused(tmp_path):
    make_twins(random_qwen2, tmp_path)
    edit_config(tmp_path, use_sliding_window=True)
    with pytest.raises(EngineError, match="set use_sliding_window to false"):
        load_backbone(tmp_path)


def test_gpt2_with_attention_scaled_by_layer_is_refused(tmp_path):
    make_twins(random_gpt2, tmp_path)
    edit_config(tmp_path, scale_attn_by_inverse_layer_idx=True)
    with pytest.raises(EngineError, match="scales attention by layer"):
        load_backbone(tmp_path)


def test_an_unknown_activation_is_refused_by_name(tmp_path):
    make_twins(random_gpt2, tmp_path)
    edit_config(tmp_path, activation_function="quick_gelu")
    with pytest.raises(EngineError, match="activation_function is 'quick_gelu', wanted one of silu, relu"):
        load_backbone(tmp_path)


def test_an_unknown_family_is_refused_with_those_that_work():
    with pytest.raises(EngineError, match="'t5'; greencode runs: gpt2, gpt_neox, llama, mistral, opt, qwen2, qwen3,"):
        family_of({"model_type": "t5"})
