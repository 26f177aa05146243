"""Converting GGUF, against the weights it was made from and against transformers' own reading."""

import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from safetensors.numpy import load_file

from greencode_lsp.models import BundleError, Progress
from greencode_lsp.models.gguf_convert import convert_gguf
from tests.models.tiny import HIDDEN, Weights, random_weights, write_gguf

PROMPT = "def fibonacci(n: int) -> int:\n    if n < 12:\n        return 305\n    return "


def ignore(progress: Progress) -> None:
    """Take a report of progress."""


def convert(gguf: Path) -> Path:
    folder = gguf.parent / "converted"
    folder.mkdir()
    convert_gguf(gguf, folder, ignore)
    return folder


def assert_same(found: Weights, expected: Weights) -> None:
    assert set(found) == set(expected)
    for name, weight in expected.items():
        assert found[name].dtype == np.float16
        np.testing.assert_array_equal(found[name], weight.astype(np.float16), err_msg=name)


def test_unquantised_weights_come_back_as_they_were(tmp_path: Path) -> None:
    weights = random_weights()
    write_gguf(tmp_path / "tiny.gguf", weights)
    assert_same(load_file(convert(tmp_path / "tiny.gguf") / "model.safetensors"), weights)


def test_quantised_weights_come_back_as_their_groups_say(tmp_path: Path) -> None:
    kind = GGMLQuantizationType.Q4_1
    weights = random_weights()
    write_gguf(tmp_path / "tiny.gguf", weights, quantization=kind)
    expected = {
        name: dequantize(quantize(weight, kind), kind) if weight.ndim == 2 else weight
        for name, weight in weights.items()
    }
    assert_same(load_file(convert(tmp_path / "tiny.gguf") / "model.safetensors"), expected)


def test_an_untied_head_is_kept_and_a_tied_one_is_not_doubled(tmp_path: Path) -> None:
    weights = random_weights()
    for name, head in (("tied", {}), ("untied", {"lm_head.weight": weights["model.embed_tokens.weight"] + 1})):
        (tmp_path / name).mkdir()
        write_gguf(tmp_path / name / "tiny.gguf", weights | head)
        folder = convert(tmp_path / name / "tiny.gguf")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        assert config["tie_word_embeddings"] is (name == "tied")
        assert_same(load_file(folder / "model.safetensors"), weights | head)


def test_the_config_keeps_the_rotary_base_where_old_and_new_readers_look(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", random_weights())
    config = json.loads((convert(tmp_path / "tiny.gguf") / "config.json").read_text(encoding="utf-8"))
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 50000.0
    assert config["rms_norm_eps"] == 1e-5
    assert (config["hidden_size"], config["head_dim"], config["num_hidden_layers"]) == (HIDDEN, 16, 2)


def test_another_architecture_is_refused_naming_those_that_work(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", random_weights(), architecture="mamba")
    with pytest.raises(BundleError, match="architecture is 'mamba' and only llama works"):
        convert(tmp_path / "tiny.gguf")


@pytest.mark.parametrize(
    ("extra", "missing"),
    [("model.layers.0.self_attn.q_norm.weight", None), ("rope_freqs.weight", None), (None, "model.norm.weight")],
)
def test_a_model_with_other_tensors_than_a_llamas_is_refused(
    tmp_path: Path, extra: str | None, missing: str | None
) -> None:
    weights = {name: weight for name, weight in random_weights().items() if name != missing}
    if extra:
        weights[extra] = np.ones(HIDDEN, np.float32)
    write_gguf(tmp_path / "tiny.gguf", weights)
    with pytest.raises(BundleError, match="cannot be converted"):
        convert(tmp_path / "tiny.gguf")


def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"PK\x03\x04" + bytes(1000))
    with pytest.raises(BundleError, match=r"tiny\.gguf is not a GGUF file"):
        convert(tmp_path / "tiny.gguf")


@pytest.mark.slow
def test_the_default_model_computes_what_transformers_computes_from_the_same_gguf(default_bundle_folder: Path) -> None:
    pytest.importorskip("accelerate", reason="transformers reads GGUF files with accelerate only")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(default_bundle_folder)(PROMPT, return_tensors="pt").input_ids
    ours = AutoModelForCausalLM.from_pretrained(default_bundle_folder, dtype=torch.float32)
    theirs = AutoModelForCausalLM.from_pretrained(default_bundle_folder, gguf_file="source.gguf", dtype=torch.float32)
    with torch.inference_mode():
        our_logits, their_logits = ours(tokens).logits, theirs(tokens).logits  # [1, tokens, vocabulary]
    # Float16 keeps 11 bits of each weight; a wrong row order or scale moves logits by whole units.
    torch.testing.assert_close(our_logits, their_logits, rtol=0, atol=0.1)
    assert torch.equal(our_logits.argmax(-1), their_logits.argmax(-1))
