"""Converting a GGUF file of llama.cpp into a Hugging Face style folder, without torch or transformers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, ReaderTensor
from gguf.quants import dequantize
from numpy.typing import NDArray

from greencode_lsp.models.gguf_fields import GgufFields
from greencode_lsp.models.gguf_header import check_gguf_header
from greencode_lsp.models.safetensors_writer import TensorShape, write_safetensors
from greencode_lsp.models.sources import Progress, Report
from greencode_lsp.models.tokenizer_convert import convert_tokenizer

ARCHITECTURES = ("llama",)

_ROWS_AT_A_TIME = 4096
_OUTSIDE_LAYERS = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_INSIDE_LAYERS = {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}


def convert_gguf(gguf_file: Path, folder: Path, report: Report) -> None:
    """Write `config.json`, `model.safetensors` (float16), `tokenizer.json` and `tokenizer_config.json` to `folder`.

    Works tensor by tensor in blocks of rows, so that memory stays far below the model's size.
    Raises `BundleError` when the file is of an architecture or has contents that greencode cannot convert.
    """
    check_gguf_header(gguf_file)
    reader = GGUFReader(gguf_file)
    fields = GgufFields(gguf_file, reader)
    architecture = fields.get("general.architecture", str)
    if architecture not in ARCHITECTURES:
        raise fields.unsupported(f"its architecture is {architecture!r} and only {', '.join(ARCHITECTURES)} works")
    tensors = {_huggingface_name(tensor.name, fields): tensor for tensor in reader.tensors}
    config = _llama_config(fields, tied="lm_head.weight" not in tensors)
    _check_names(set(tensors), config, fields)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    _check_rows(tensors, config, fields)
    _write_weights(tensors, config, folder / "model.safetensors", report)
    convert_tokenizer(fields, folder)


def _huggingface_name(name: str, fields: GgufFields) -> str:
    if name in _OUTSIDE_LAYERS:
        return _OUTSIDE_LAYERS[name]
    block, _, rest = name.partition(".")
    layer, _, part = rest.partition(".")
    if block != "blk" or part not in _INSIDE_LAYERS:
        raise fields.unsupported(f"it has a tensor {name!r} that a plain llama model does not have")
    return f"model.layers.{layer}.{_INSIDE_LAYERS[part]}"


def _check_names(found: set[str], config: dict[str, Any], fields: GgufFields) -> None:
    if config["num_hidden_layers"] > len(found):
        raise fields.unsupported(
            f"it says that it has {config['num_hidden_layers']} layers and has {len(found)} tensors"
        )
    layers = range(config["num_hidden_layers"])
    wanted = {f"model.layers.{layer}.{part}" for layer in layers for part in _INSIDE_LAYERS.values()}
    wanted |= {"model.embed_tokens.weight", "model.norm.weight"}
    if wrong := (found - {"lm_head.weight"}) ^ wanted:
        raise fields.unsupported(f"a tensor is missing or one too many ({min(wrong)})")


def _check_rows(tensors: dict[str, ReaderTensor], config: dict[str, Any], fields: GgufFields) -> None:
    for name, tensor in tensors.items():
        wanted = 1 if name.endswith("norm.weight") else 2
        if len(tensor.shape) != wanted:
            raise fields.unsupported(f"{name} has {len(tensor.shape)} dimensions, and must have {wanted}")
        heads, rows = _rotated_heads(name, config), int(tensor.shape[-1])
        if heads and rows != heads * config["head_dim"]:
            raise fields.unsupported(f"{name} has {rows} rows, and must have {heads} heads of {config['head_dim']}")


def _llama_config(fields: GgufFields, *, tied: bool) -> dict[str, Any]:
    """Return a config that transformers' LlamaForCausalLM and greencode's own loader read."""
    if fields.get("llama.expert_count", int, 0) > 0:
        raise fields.unsupported("it is a mixture of experts")
    if fields.get("llama.rope.scaling.type", str, "none") != "none":
        raise fields.unsupported("it scales its rotary positions")
    heads = fields.get_count("llama.attention.head_count")
    hidden_size = fields.get_count("llama.embedding_length")
    head_size = fields.get_count("llama.attention.key_length", hidden_size // heads)
    if fields.get("llama.rope.dimension_count", int, head_size) != head_size:
        raise fields.unsupported("it rotates only a part of each head")
    rope_theta = _shortest(fields.get("llama.rope.freq_base", float, 10000.0))
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "bos_token_id": fields.get_index("tokenizer.ggml.bos_token_id"),
        "dtype": "float16",
        "eos_token_id": fields.get_index("tokenizer.ggml.eos_token_id"),
        "head_dim": head_size,
        "hidden_act": "silu",
        "hidden_size": hidden_size,
        "intermediate_size": fields.get_count("llama.feed_forward_length"),
        "max_position_embeddings": fields.get_count("llama.context_length"),
        "mlp_bias": False,
        "num_attention_heads": heads,
        "num_hidden_layers": fields.get_count("llama.block_count"),
        "num_key_value_heads": fields.get_count("llama.attention.head_count_kv", heads),
        "pad_token_id": fields.get_index("tokenizer.ggml.padding_token_id"),
        "rms_norm_eps": _shortest(fields.get("llama.attention.layer_norm_rms_epsilon", float)),
        "rope_parameters": {"rope_type": "default", "rope_theta": rope_theta},
        "rope_theta": rope_theta,
        "tie_word_embeddings": tied,
        "vocab_size": fields.length("tokenizer.ggml.tokens"),
    }


def _shortest(value: float) -> float:
    """Return the shortest decimal that is the same float32: GGUF keeps 1e-05 as 9.999999747378752e-06."""
    return float(str(np.float32(value)))


def _write_weights(tensors: dict[str, ReaderTensor], config: dict[str, Any], path: Path, report: Report) -> None:
    shapes: dict[str, TensorShape] = {
        name: tuple(int(size) for size in reversed(tensor.shape)) for name, tensor in tensors.items()
    }
    total = 2 * sum(int(tensor.n_elements) for tensor in tensors.values())
    done = 0
    with write_safetensors(path, shapes) as write:
        for name, tensor in tensors.items():
            order = _row_order(name, shapes[name], config)
            for start in range(0, len(order), _ROWS_AT_A_TIME):
                rows = tensor.data[order[start : start + _ROWS_AT_A_TIME]]
                half = dequantize(rows, tensor.tensor_type).astype("<f2")
                write(half)
                done += half.nbytes
                report(Progress("converting", done, total))


def _row_order(name: str, shape: TensorShape, config: dict[str, Any]) -> NDArray[np.int64]:
    """Return the order in which a tensor's rows are written.

    llama.cpp rotates neighbouring rows of a head where Hugging Face rotates the two halves of it, so its converter
    interleaves the halves of every q and k head (`LlamaModel.permute` in convert_hf_to_gguf.py). This takes them apart.
    """
    rows = np.arange(shape[0])
    heads = _rotated_heads(name, config)
    return rows.reshape(heads, -1, 2).swapaxes(1, 2).reshape(-1) if heads else rows


def _rotated_heads(name: str, config: dict[str, Any]) -> int:
    """Return how many heads of a matrix are rotated: 0 for any but the queries' and the keys'."""
    if name.endswith("q_proj.weight"):
        return int(config["num_attention_heads"])
    return int(config["num_key_value_heads"]) if name.endswith("k_proj.weight") else 0
