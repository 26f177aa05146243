"""One small adapter per model family: where its embeddings, layers, norms, head and positions are.

To add a family, write a module with `MODEL_TYPE`, `read_architecture` and `read_weights`, and list it here.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from greencode_lsp.engine.architecture import Architecture, Weights
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.families import gpt2, gpt_neox, llama, mistral, opt, qwen2, qwen3, starcoder2
from greencode_lsp.engine.families.reading import shown


class Family(Protocol):
    """What an adapter module offers."""

    MODEL_TYPE: str

    def read_architecture(self, config: Mapping[str, Any]) -> Architecture:
        """Translate a `config.json`."""

    def read_weights(self, tensors: Mapping[str, Tensor], config: Mapping[str, Any], shape: Architecture) -> Weights:
        """Pick and fuse the tensors."""


FAMILIES: dict[str, Family] = {
    module.MODEL_TYPE: module for module in (gpt2, gpt_neox, llama, mistral, opt, qwen2, qwen3, starcoder2)
}


def family_of(config: Mapping[str, Any]) -> Family:
    """Return the adapter for a `config.json`; raise `EngineError` naming those that work."""
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise EngineError(f"unknown model family {shown(model_type)}; greencode runs: {', '.join(sorted(FAMILIES))}")
    return FAMILIES[model_type]
