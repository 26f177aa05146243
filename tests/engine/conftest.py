"""Small random models of every family, saved as a user's model folder would be, beside their transformers twins.

Their weights are drawn wide enough that a text has many different tokens: with narrow ones, and most of all with layer
norms and their biases, a model says one token for ever, and every test of texts passes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Starcoder2Config,
    Starcoder2ForCausalLM,
)

from greencode_lsp.engine import EarlyExitModel, load_backbone
from greencode_lsp.engine.architecture import Architecture
from greencode_lsp.engine.backbone import Backbone
from greencode_lsp.engine.cache import Cache
from greencode_lsp.engine.exits import ExitHead, exits_metadata, exits_tensors

VOCABULARY = 300


def random_llama() -> Any:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=48,
            intermediate_size=64,
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
            hidden_size=32,
            word_embed_proj_dim=32,
            ffn_dim=64,
            num_hidden_layers=6,
            num_attention_heads=4,
            max_position_embeddings=700,
            init_std=0.6,
            eos_token_id=None,
            pad_token_id=1,
        )
    )


def random_qwen2() -> Any:
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=700,
            tie_word_embeddings=True,
            initializer_range=0.3,
            eos_token_id=None,
        )
    )


def random_qwen3() -> Any:
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=12,
            max_position_embeddings=700,
            tie_word_embeddings=False,
            initializer_range=0.3,
            eos_token_id=None,
        )
    )


def random_starcoder2() -> Any:
    """With a window that is shorter than the context, as the released models have it."""
    return Starcoder2ForCausalLM(
        Starcoder2Config(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1400,
            sliding_window=700,
            initializer_range=0.6,
            bos_token_id=None,
            eos_token_id=None,
        )
    )


def random_mistral() -> Any:
    return MistralForCausalLM(
        MistralConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=1,
            head_dim=10,
            max_position_embeddings=700,
            sliding_window=None,
            initializer_range=0.3,
            bos_token_id=None,
            eos_token_id=None,
        )
    )


def random_gpt2() -> Any:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY,
            n_embd=32,
            n_layer=6,
            n_head=4,
            n_positions=700,
            initializer_range=0.6,
            bos_token_id=None,
            eos_token_id=None,
        )
    )


def random_gpt_neox() -> Any:
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=6,
            num_attention_heads=4,
            max_position_embeddings=700,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0, "partial_rotary_factor": 0.5},
            initializer_range=0.6,
            bos_token_id=None,
            eos_token_id=None,
        )
    )


RANDOM_MODELS: dict[str, Callable[[], Any]] = {
    "gpt2": random_gpt2,
    "gpt_neox": random_gpt_neox,
    "llama": random_llama,
    "llama3": random_llama3,
    "mistral": random_mistral,
    "opt": random_opt,
    "qwen2": random_qwen2,
    "qwen3": random_qwen3,
    "starcoder2": random_starcoder2,
}


class ForgetfulBackbone(Backbone):
    """Loses what becomes of rows behind which nobody said he would look, as runners may."""

    def run_layers(
        self, layers: range, hidden: torch.Tensor, start: int, cache: Cache, read: int | None = None
    ) -> torch.Tensor:
        """Run layers, and put nonsense in the place of what is not `read`."""
        outputs = super().run_layers(layers, hidden, start, cache, read)
        return outputs if read is None else outputs.index_fill(0, torch.arange(len(outputs) - read), 50.0)


@dataclass
class Twins:
    """One model twice: as transformers runs it, and as greencode does, in float32."""

    reference: PreTrainedModel
    model: EarlyExitModel
    folder: Path
    _greedy: dict[tuple[int, ...], list[int]] = field(default_factory=dict, init=False)

    @property
    def backbone(self) -> Backbone:
        """The plain runner that the model is run by."""
        assert isinstance(self.model.backbone, Backbone)
        return self.model.backbone

    def greedy(self, prompt: list[int], tokens: int) -> list[int]:
        """Return what transformers' `generate` adds to the prompt. Tests ask for the same texts again and again."""
        known = self._greedy.get(tuple(prompt), [])
        if len(known) < tokens:
            ids = torch.tensor([prompt])
            with torch.inference_mode():
                out = self.reference.generate(
                    ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, pad_token_id=0
                )
            known = self._greedy[tuple(prompt)] = out[0, len(prompt) :].tolist()
        return known[:tokens]


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Run a module's tests on one thread: waking others costs more than models this small have to compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", params=sorted(RANDOM_MODELS))
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Twins:
    return make_twins(RANDOM_MODELS[request.param], tmp_path_factory.mktemp(request.param))


def make_twins(random_model: Callable[[], Any], folder: Path) -> Twins:
    """Make a random model with every parameter in use, save it to the folder, and load it from there."""
    torch.manual_seed(20)
    reference = random_model().eval().float()
    with torch.no_grad():  # fresh models have zero biases and unit norms, which would hide a forgotten tensor
        for name, parameter in reference.named_parameters():
            if name.endswith("bias") or "norm" in name or "ln_" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    reference.save_pretrained(folder)
    loaded = load_backbone(folder)
    backbone = ForgetfulBackbone(loaded.shape, loaded.weights)
    return Twins(reference, EarlyExitModel(backbone, exits=(2, 3, 5)), folder)


@pytest.fixture
def prompt() -> list[int]:
    return torch.randint(3, VOCABULARY, (40,), generator=torch.Generator().manual_seed(4)).tolist()


def save_exits(path: Path, heads: Mapping[int, ExitHead], shape: Architecture, identity: str = "") -> None:
    """Write heads as exits.safetensors holds them, in the numbers they have: training ships them in 4 bits."""
    save_file(exits_tensors(heads), path, metadata=exits_metadata(heads, shape, identity))
