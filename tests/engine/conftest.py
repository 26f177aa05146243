"""Small random models of every family, saved as a user's model folder would be, beside their transformers twins."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, OPTConfig, OPTForCausalLM, PreTrainedModel

from greencode_lsp.engine import EarlyExitModel, load_backbone

VOCABULARY = 300


def random_llama() -> Any:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=48,
            intermediate_size=96,
            num_hidden_layers=6,
            num_attention_heads=6,
            num_key_value_heads=2,
            max_position_embeddings=700,
            tie_word_embeddings=False,
            initializer_range=0.3,
            eos_token_id=None,
        )
    )


def random_llama3() -> Any:
    """Llama 3.2's traits: frequency-dependent rotary scaling, a head size of its own, tied embeddings."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=4,
            head_dim=16,
            max_position_embeddings=700,
            tie_word_embeddings=True,
            initializer_range=0.3,
            rope_parameters={
                "rope_type": "llama3",
                "rope_theta": 5000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
            eos_token_id=None,
        )
    )


def random_opt() -> Any:
    return OPTForCausalLM(
        OPTConfig(
            vocab_size=VOCABULARY,
            hidden_size=48,
            word_embed_proj_dim=48,
            ffn_dim=96,
            num_hidden_layers=6,
            num_attention_heads=6,
            max_position_embeddings=700,
            init_std=0.3,
            eos_token_id=None,
            pad_token_id=1,
        )
    )


RANDOM_MODELS: dict[str, Callable[[], Any]] = {"llama": random_llama, "llama3": random_llama3, "opt": random_opt}


@dataclass
class Twins:
    """One model twice: as transformers runs it, and as greencode does, in float32."""

    reference: PreTrainedModel
    model: EarlyExitModel
    folder: Path

    def greedy(self, prompt: list[int], tokens: int) -> list[int]:
        """Return what transformers' `generate` adds to the prompt."""
        ids = torch.tensor([prompt])
        with torch.inference_mode():
            out = self.reference.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, pad_token_id=0
            )
        return out[0, len(prompt) :].tolist()


@pytest.fixture(scope="session", params=sorted(RANDOM_MODELS))
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    torch.manual_seed(20)
    reference = RANDOM_MODELS[request.param]().eval().float()
    with torch.no_grad():  # fresh models have zero biases and unit norms, which would hide a forgotten tensor
        for name, parameter in reference.named_parameters():
            if name.endswith("bias") or "norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    folder = tmp_path_factory.mktemp(request.param)
    reference.save_pretrained(folder)
    return Twins(reference, EarlyExitModel(load_backbone(folder), exits=(2, 3, 5)), folder)


@pytest.fixture
def prompt() -> list[int]:
    return torch.randint(3, VOCABULARY, (40,), generator=torch.Generator().manual_seed(4)).tolist()
