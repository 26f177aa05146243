"""Models of known shapes with random weights: speed and energy depend on the shape, and nobody has to bring any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from greencode_lsp.engine.backbone import Backbone
from greencode_lsp.engine.families import family_of
from greencode_lsp.errors import UserError, installing

SEED = 0


@dataclass(frozen=True)
class ModelShape:
    """What a model's `config.json` says, and its exits as in GREEN-CODE (arXiv 2501.11006, section 4)."""

    config: Mapping[str, Any]
    exits: tuple[int, ...]


SHAPES = {
    "llama-3.2-3b": ModelShape(
        {
            "model_type": "llama",
            "vocab_size": 128_256,
            "hidden_size": 3072,
            "intermediate_size": 8192,
            "num_hidden_layers": 28,
            "num_attention_heads": 24,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 131_072,
            "rms_norm_eps": 1e-5,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500_000.0,
                "factor": 32.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            },
            "tie_word_embeddings": True,
        },
        (4, 6, 8, 10, 12, 14, 18, 22, 26),
    ),
    "opt-2.7b": ModelShape(
        {
            "model_type": "opt",
            "vocab_size": 50_272,
            "hidden_size": 2560,
            "word_embed_proj_dim": 2560,
            "ffn_dim": 10_240,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "max_position_embeddings": 2048,
        },
        (4, 6, 8, 10, 12, 14, 16, 20, 24, 28),
    ),
    "tiny": ModelShape(
        {
            "model_type": "llama",
            "vocab_size": 512,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 2048,
            "tie_word_embeddings": True,
        },
        (1, 2),
    ),
}
"""By name. `tiny` shows within seconds whether everything works."""


def find_shape(name: str) -> ModelShape:
    """Return the shape of that name; raise `UserError` in one line where there is none."""
    if name not in SHAPES:
        raise UserError(f"unknown shape {name!r}; there are: {', '.join(SHAPES)}")
    return SHAPES[name]


def random_model(shape: ModelShape, device: str, dtype: torch.dtype) -> tuple[Any, Backbone]:
    """Return one model twice: as transformers runs it, and as greencode does. Texts never end.

    Raises `UserError` where transformers is missing.
    """
    try:
        from transformers import AutoConfig, AutoModelForCausalLM
    except ImportError as error:
        raise UserError(f"random weights are made by transformers; {installing('eval')}") from error
    torch.manual_seed(SEED)
    config = AutoConfig.for_model(**shape.config, bos_token_id=None, eos_token_id=None)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    family, facts = family_of(shape.config), config.to_dict()
    architecture = family.read_architecture(facts)
    return model, Backbone(architecture, family.read_weights(model.state_dict(), facts, architecture))
